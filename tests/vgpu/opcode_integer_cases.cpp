#include "vgpu/opcode_models.hpp"

namespace vgpu_tests {
namespace {

using s128 = __int128;
using u128 = unsigned __int128;

u64 cut(u64 x, int width) { return width == 64 ? x : x & ((u64{1} << width) - 1); }

struct Kind {
  const char* name;
  int width;
  bool is_signed;
  s128 value(u64 x) const { return is_signed ? static_cast<s128>(signed_of(x, width)) : static_cast<s128>(x); }
};
constexpr Kind kKinds[] = {{"u16", 16, false}, {"s16", 16, true},  {"u32", 32, false},
                           {"s32", 32, true},  {"u64", 64, false}, {"s64", 64, true}};

/// An instruction on three numbers of one kind, computed exactly and cut.
OpcodeCase exact(const std::string& opcode, const Kind& kind, int operands, std::function<u128(s128, s128, s128)> f, int result = 0) {
  const int width = result == 0 ? kind.width : result;
  const char* const shapes[] = {"", "D, A", "D, A, B", "D, A, B, C"};
  return {opcode + "." + kind.name,
          shapes[operands],
          std::vector<int>(static_cast<std::size_t>(operands), kind.width),
          width,
          false,
          [=](u64 a, u64 b, u64 c) { return cut(static_cast<u64>(f(kind.value(a), kind.value(b), kind.value(c))), width); }};
}

int bit(u64 x, int i) { return static_cast<int>(x >> i & 1); }

void add_arithmetic(std::vector<OpcodeCase>& cases) {
  for (const Kind& kind : kKinds) {
    const int w = kind.width;
    cases.push_back(exact("add", kind, 2, [](s128 a, s128 b, s128) { return static_cast<u128>(a + b); }));
    cases.push_back(exact("sub", kind, 2, [](s128 a, s128 b, s128) { return static_cast<u128>(a - b); }));
    const auto product = [](s128 a, s128 b) { return static_cast<u128>(a) * static_cast<u128>(b); };
    cases.push_back(exact("mul.lo", kind, 2, [=](s128 a, s128 b, s128) { return product(a, b); }));
    cases.push_back(exact("mul.hi", kind, 2, [=](s128 a, s128 b, s128) { return product(a, b) >> w; }));
    cases.push_back(exact("mad.lo", kind, 3, [=](s128 a, s128 b, s128 c) { return product(a, b) + static_cast<u128>(c); }));
    if (w >= 32)
      cases.push_back(exact("mad.hi", kind, 3, [=](s128 a, s128 b, s128 c) { return (product(a, b) >> w) + static_cast<u128>(c); }));
    if (w < 64)
      cases.push_back(exact(
          "mul.wide", kind, 2, [=](s128 a, s128 b, s128) { return product(a, b); }, 2 * w));
    cases.push_back(exact("div", kind, 2, [](s128 a, s128 b, s128) { return b == 0 ? ~u128{0} : static_cast<u128>(a / b); }));
    cases.push_back(exact("rem", kind, 2, [](s128 a, s128 b, s128) { return static_cast<u128>(b == 0 ? a : a % b); }));
    cases.push_back(exact("min", kind, 2, [](s128 a, s128 b, s128) { return static_cast<u128>(a < b ? a : b); }));
    cases.push_back(exact("max", kind, 2, [](s128 a, s128 b, s128) { return static_cast<u128>(a < b ? b : a); }));
    if (kind.is_signed) {
      cases.push_back(exact("abs", kind, 1, [](s128 a, s128, s128) { return static_cast<u128>(a < 0 ? -a : a); }));
      cases.push_back(exact("neg", kind, 1, [](s128 a, s128, s128) { return static_cast<u128>(-a); }));
    }
    if (w < 64)
      cases.push_back({std::string("mad.wide.") + kind.name, "D, A, B, C", {w, w, 2 * w}, 2 * w, false, [=](u64 a, u64 b, u64 c) {
                         return cut(static_cast<u64>(product(kind.value(a), kind.value(b))) + c, 2 * w);
                       }});
  }
  const auto clamp = [](s128 x) { return static_cast<u128>(x > 0x7fffffff ? 0x7fffffff : x < -0x80000000LL ? -0x80000000LL : x); };
  cases.push_back(exact("add.sat", kKinds[3], 2, [=](s128 a, s128 b, s128) { return clamp(a + b); }));
  cases.push_back(exact("sub.sat", kKinds[3], 2, [=](s128 a, s128 b, s128) { return clamp(a - b); }));
}

void add_bits(std::vector<OpcodeCase>& cases) {
  for (const int w : {16, 32, 64}) {
    const std::string b = ".b" + std::to_string(w);
    cases.push_back({"and" + b, "D, A, B", {w, w}, w, false, [](u64 x, u64 y, u64) { return x & y; }});
    cases.push_back({"or" + b, "D, A, B", {w, w}, w, false, [](u64 x, u64 y, u64) { return x | y; }});
    cases.push_back({"xor" + b, "D, A, B", {w, w}, w, false, [](u64 x, u64 y, u64) { return x ^ y; }});
    cases.push_back({"not" + b, "D, A", {w}, w, false, [=](u64 x, u64, u64) { return cut(~x, w); }});
    cases.push_back({"mov" + b, "D, A", {w}, w, false, [](u64 x, u64, u64) { return x; }});
    cases.push_back(
        {"shl" + b, "D, A, B", {w, 32}, w, false, [=](u64 x, u64 by, u64) { return by >= static_cast<u64>(w) ? 0 : cut(x << by, w); }});
    cases.push_back({"shr.u" + std::to_string(w), "D, A, B", {w, 32}, w, false, [=](u64 x, u64 by, u64) {
                       return by >= static_cast<u64>(w) ? 0 : x >> by;
                     }});
    cases.push_back({"shr.s" + std::to_string(w), "D, A, B", {w, 32}, w, false, [=](u64 x, u64 by, u64) {
                       return cut(static_cast<u64>(signed_of(x, w) >> std::min<u64>(by, static_cast<u64>(w) - 1)), w);
                     }});
    if (w == 16) continue;
    const auto ones = [=](u64 x) {
      u64 n = 0;
      for (int i = 0; i < w; ++i) n += static_cast<u64>(bit(x, i));
      return n;
    };
    const auto highest = [=](u64 x) {
      for (int i = w - 1; i >= 0; --i)
        if (bit(x, i) != 0) return i;
      return -1;
    };
    cases.push_back({"popc" + b, "D, A", {w}, 32, false, [=](u64 x, u64, u64) { return ones(x); }});
    cases.push_back({"clz" + b, "D, A", {w}, 32, false, [=](u64 x, u64, u64) { return static_cast<u64>(w - 1 - highest(x)); }});
    cases.push_back(
        {"bfind.u" + std::to_string(w), "D, A", {w}, 32, false, [=](u64 x, u64, u64) { return cut(static_cast<u64>(highest(x)), 32); }});
    cases.push_back({"bfind.s" + std::to_string(w), "D, A", {w}, 32, false, [=](u64 x, u64, u64) {
                       return cut(static_cast<u64>(highest(bit(x, w - 1) != 0 ? cut(~x, w) : x)), 32);
                     }});
    cases.push_back({"brev" + b, "D, A", {w}, w, false, [=](u64 x, u64, u64) {
                       u64 r = 0;
                       for (int i = 0; i < w; ++i) r |= static_cast<u64>(bit(x, i)) << (w - 1 - i);
                       return r;
                     }});
    for (const bool is_signed : {false, true})
      // The loop of the PTX ISA.
      cases.push_back(
          {(is_signed ? "bfe.s" : "bfe.u") + std::to_string(w), "D, A, B, C", {w, 32, 32}, w, false, [=](u64 a, u64 at, u64 count) {
             const int pos = static_cast<int>(at & 0xff), len = static_cast<int>(count & 0xff), msb = w - 1;
             const int sign = !is_signed || len == 0 ? 0 : bit(a, std::min(pos + len - 1, msb));
             u64 d = 0;
             for (int i = 0; i <= msb; ++i) d |= static_cast<u64>(i < len && pos + i <= msb ? bit(a, pos + i) : sign) << i;
             return d;
           }});
    cases.push_back({"bfi" + b, "D, A, B, 5, C", {w, w, 32}, w, false, [=](u64 a, u64 into, u64 count) {
                       const int pos = 5, len = static_cast<int>(count & 0xff);
                       for (int i = 0; i < len && pos + i < w; ++i)
                         into = (into & ~(u64{1} << (pos + i))) | static_cast<u64>(bit(a, i)) << (pos + i);
                       return into;
                     }});
  }
  for (const int table : {0x80, 0x96, 0xea, 0x1b})
    cases.push_back({"lop3.b32", "D, A, B, C, " + std::to_string(table), {32, 32, 32}, 32, false, [=](u64 a, u64 b, u64 c) {
                       u64 r = 0;
                       for (int i = 0; i < 32; ++i) r |= static_cast<u64>(table >> (bit(a, i) * 4 + bit(b, i) * 2 + bit(c, i)) & 1) << i;
                       return r;
                     }});
  for (const bool wrap : {false, true}) {
    const auto by = [=](u64 c) { return wrap ? c % 32 : std::min<u64>(c, 32); };
    cases.push_back(
        {std::string("shf.l.") + (wrap ? "wrap" : "clamp") + ".b32", "D, A, B, C", {32, 32, 32}, 32, false, [=](u64 a, u64 b, u64 c) {
           return cut(static_cast<u64>((static_cast<u128>(b) << 32 | a) << by(c) >> 32), 32);
         }});
    cases.push_back(
        {std::string("shf.r.") + (wrap ? "wrap" : "clamp") + ".b32", "D, A, B, C", {32, 32, 32}, 32, false, [=](u64 a, u64 b, u64 c) {
           return cut((b << 32 | a) >> by(c), 32);
         }});
  }
  cases.push_back({"prmt.b32", "D, A, B, C", {32, 32, 32}, 32, false, [](u64 a, u64 b, u64 c) {
                     u64 r = 0;
                     for (int k = 0; k < 4; ++k) {
                       const u64 s = c >> (4 * k) & 15, byte = (s & 7) < 4 ? a >> (8 * (s & 7)) & 255 : b >> (8 * ((s & 7) - 4)) & 255;
                       r |= (s < 8 ? byte : byte >= 128 ? 255 : 0) << (8 * k);
                     }
                     return r;
                   }});
  cases.push_back({"copysign.f32", "D, A, B", {32, 32}, 32, false, [](u64 a, u64 b, u64) { return (a >> 31 << 31) | (b & 0x7fffffff); }});
}

void add_comparisons(std::vector<OpcodeCase>& cases) {
  const std::pair<const char*, std::function<bool(s128, s128)>> tests[] = {{"eq", std::equal_to<>()}, {"ne", std::not_equal_to<>()},
                                                                           {"lt", std::less<>()},     {"le", std::less_equal<>()},
                                                                           {"gt", std::greater<>()},  {"ge", std::greater_equal<>()}};
  for (const Kind& kind : kKinds)
    for (const auto& [name, test] : tests)
      cases.push_back({std::string("setp.") + name + "." + kind.name,
                       "%p1, A, B;\nselp.b32 D, 1, 0, %p1",
                       {kind.width, kind.width},
                       32,
                       false,
                       [=, test = test](u64 a, u64 b, u64) { return static_cast<u64>(test(kind.value(a), kind.value(b))); }});
  for (const int w : {16, 32, 64})
    cases.push_back({"selp.b" + std::to_string(w), "D, A, B, %p7", {w, w}, w, false, [](u64, u64 b, u64) { return b; }});
}

}  // namespace

std::vector<OpcodeCase> integer_cases() {
  std::vector<OpcodeCase> cases;
  add_arithmetic(cases);
  add_bits(cases);
  add_comparisons(cases);
  return cases;
}

}  // namespace vgpu_tests
