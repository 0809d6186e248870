#include "vgpu/opcode_models.hpp"

namespace vgpu_tests {
namespace {

void op_add(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t, mpfr_rnd_t m) { mpfr_add(r, a, b, m); }
void op_sub(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t, mpfr_rnd_t m) { mpfr_sub(r, a, b, m); }
void op_mul(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t, mpfr_rnd_t m) { mpfr_mul(r, a, b, m); }
void op_fma(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t c, mpfr_rnd_t m) { mpfr_fma(r, a, b, c, m); }
void op_div(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t, mpfr_rnd_t m) { mpfr_div(r, a, b, m); }
void op_rcp(mpfr_t r, mpfr_t a, mpfr_t, mpfr_t, mpfr_rnd_t m) { mpfr_ui_div(r, 1, a, m); }
void op_sqrt(mpfr_t r, mpfr_t a, mpfr_t, mpfr_t, mpfr_rnd_t m) { mpfr_sqrt(r, a, m); }
void op_rsqrt(mpfr_t r, mpfr_t a, mpfr_t, mpfr_t, mpfr_rnd_t m) {
  const bool negative_zero = mpfr_zero_p(a) != 0 && mpfr_signbit(a) != 0;  // PTX: rsqrt(-0) = -inf
  mpfr_rec_sqrt(r, a, m);
  if (negative_zero) mpfr_set_inf(r, -1);
}
void op_min(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t, mpfr_rnd_t m) {
  mpfr_min(r, a, b, m);
  if (mpfr_zero_p(a) && mpfr_zero_p(b)) mpfr_set_zero(r, mpfr_signbit(a) || mpfr_signbit(b) ? -1 : 1);
}
void op_max(mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t, mpfr_rnd_t m) {
  mpfr_max(r, a, b, m);
  if (mpfr_zero_p(a) && mpfr_zero_p(b)) mpfr_set_zero(r, mpfr_signbit(a) && mpfr_signbit(b) ? -1 : 1);
}
void op_abs(mpfr_t r, mpfr_t a, mpfr_t, mpfr_t, mpfr_rnd_t m) { mpfr_abs(r, a, m); }
void op_neg(mpfr_t r, mpfr_t a, mpfr_t, mpfr_t, mpfr_rnd_t m) { mpfr_neg(r, a, m); }
/// The functions at 200 bits: enough that no rounding to 24 is mistaken.
template <int (*kFunction)(mpfr_t, mpfr_srcptr, mpfr_rnd_t)>
void op_function(mpfr_t r, mpfr_t a, mpfr_t, mpfr_t, mpfr_rnd_t m) {
  mpfr_set_prec(r, 200);
  kFunction(r, a, m);
}

struct Operation {
  const char* name;
  FloatOp op;
  int operands;
};
const Operation kBasic[] = {{"add", op_add, 2}, {"sub", op_sub, 2}, {"mul", op_mul, 2}, {"fma", op_fma, 3}};
const Operation kOthers[] = {{"min", op_min, 2}, {"max", op_max, 2}, {"abs", op_abs, 1}, {"neg", op_neg, 1}};

OpcodeCase make(const std::string& opcode, int operands, int width, Model model) {
  const char* const shapes[] = {"", "D, A", "D, A, B", "D, A, B, C"};
  return {opcode, shapes[operands], std::vector<int>(static_cast<std::size_t>(operands), width), width, true, std::move(model)};
}

/// Both halves of a packed pair.
Model in_pairs(Model half) {
  return [half](u64 a, u64 b, u64 c) { return half(a & 0xffff, b & 0xffff, c & 0xffff) | half(a >> 16, b >> 16, c >> 16) << 16; };
}

}  // namespace

std::vector<OpcodeCase> float_cases() {
  std::vector<OpcodeCase> cases;
  const std::tuple<const char*, mpfr_rnd_t> modes[] = {{".rn", MPFR_RNDN}, {".rz", MPFR_RNDZ}, {".rm", MPFR_RNDD}, {".rp", MPFR_RNDU}};
  for (const Operation& one : kBasic) {
    for (const auto& [suffix, mode] : modes) {
      cases.push_back(make(std::string(one.name) + suffix + ".f32", one.operands, 32, float_model(kShape32, one.op, mode)));
      cases.push_back(make(std::string(one.name) + suffix + ".ftz.f32", one.operands, 32, float_model(kShape32, one.op, mode, true)));
    }
    cases.push_back(make(std::string(one.name) + ".rn.sat.f32", one.operands, 32, float_model(kShape32, one.op, MPFR_RNDN, false, true)));
    cases.push_back(make(std::string(one.name) + ".rn.f64", one.operands, 64, float_model(kShape64, one.op)));
    cases.push_back(make(std::string(one.name) + ".rn.f16", one.operands, 16, float_model(kShape16, one.op)));
    cases.push_back(make(std::string(one.name) + ".rn.bf16", one.operands, 16, float_model(kShapeB16, one.op)));
    cases.push_back(make(std::string(one.name) + ".rn.f16x2", one.operands, 32, in_pairs(float_model(kShape16, one.op))));
    cases.push_back(make(std::string(one.name) + ".rn.bf16x2", one.operands, 32, in_pairs(float_model(kShapeB16, one.op))));
    if (one.operands == 2) cases.push_back(make(std::string(one.name) + ".f32", 2, 32, float_model(kShape32, one.op)));
  }
  for (const Operation& one : kOthers) {
    cases.push_back(make(std::string(one.name) + ".f32", one.operands, 32, float_model(kShape32, one.op)));
    cases.push_back(make(std::string(one.name) + ".ftz.f32", one.operands, 32, float_model(kShape32, one.op, MPFR_RNDN, true)));
    cases.push_back(make(std::string(one.name) + ".f64", one.operands, 64, float_model(kShape64, one.op)));
    cases.push_back(make(std::string(one.name) + ".f16", one.operands, 16, float_model(kShape16, one.op)));
    cases.push_back(make(std::string(one.name) + ".bf16x2", one.operands, 32, in_pairs(float_model(kShapeB16, one.op))));
  }
  for (const auto& [suffix, mode] : modes)
    cases.push_back(make(std::string("div") + suffix + ".f32", 2, 32, float_model(kShape32, op_div, mode)));
  for (const char* suffix : {".rn", ".approx"}) {
    cases.push_back(make(std::string("rcp") + suffix + ".f32", 1, 32, float_model(kShape32, op_rcp)));
    cases.push_back(make(std::string("rcp") + suffix + ".ftz.f32", 1, 32, float_model(kShape32, op_rcp, MPFR_RNDN, true)));
    cases.push_back(make(std::string("sqrt") + suffix + ".f32", 1, 32, float_model(kShape32, op_sqrt)));
  }
  cases.push_back(make("div.full.f32", 2, 32, float_model(kShape32, op_div)));
  cases.push_back(make("div.rn.f64", 2, 64, float_model(kShape64, op_div)));
  cases.push_back(make("rcp.rn.f64", 1, 64, float_model(kShape64, op_rcp)));
  cases.push_back(make("sqrt.rn.f64", 1, 64, float_model(kShape64, op_sqrt)));
  cases.push_back(make("rsqrt.approx.f32", 1, 32, float_model(kShape32, op_rsqrt)));
  cases.push_back(make("ex2.approx.f32", 1, 32, float_model(kShape32, op_function<mpfr_exp2>)));
  cases.push_back(make("ex2.approx.ftz.f32", 1, 32, float_model(kShape32, op_function<mpfr_exp2>, MPFR_RNDN, true)));
  cases.push_back(make("lg2.approx.f32", 1, 32, float_model(kShape32, op_function<mpfr_log2>)));
  cases.push_back(make("tanh.approx.f32", 1, 32, float_model(kShape32, op_function<mpfr_tanh>)));
  cases.push_back(make("ex2.approx.ftz.bf16", 1, 16, float_model(kShapeB16, op_function<mpfr_exp2>, MPFR_RNDN, true)));
  cases.push_back(make("ex2.approx.f16", 1, 16, float_model(kShape16, op_function<mpfr_exp2>)));
  cases.push_back(make("tanh.approx.f16", 1, 16, float_model(kShape16, op_function<mpfr_tanh>)));
  for (const bool is_max : {false, true})
    cases.push_back(make(is_max ? "max.NaN.f32" : "min.NaN.f32", 2, 32,
                         float_model(kShape32, [=](mpfr_t r, mpfr_t a, mpfr_t b, mpfr_t c, mpfr_rnd_t m) {
                           if (mpfr_nan_p(a) != 0 || mpfr_nan_p(b) != 0)
                             mpfr_set_nan(r);
                           else
                             (is_max ? op_max : op_min)(r, a, b, c, m);
                         })));
  // Comparisons: the four relations of two numbers, and no relation.
  const char* const names[] = {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
  for (const auto& [type, shape] :
       {std::pair{"f32", kShape32}, std::pair{"f64", kShape64}, std::pair{"f16", kShape16}, std::pair{"bf16", kShapeB16}})
    for (int i = 0; i < 14; ++i)
      cases.push_back({std::string("setp.") + names[i] + "." + type,
                       "%p1, A, B;\nselp.b32 D, 1, 0, %p1",
                       {shape.bits, shape.bits},
                       32,
                       true,
                       [i, shape = shape](u64 a, u64 b, u64) {
                         Exact x, y;
                         decode(a, shape, x.value);
                         decode(b, shape, y.value);
                         const bool unordered = mpfr_nan_p(x.value) || mpfr_nan_p(y.value);
                         if (i >= 12) return static_cast<u64>(unordered == (i == 13));
                         if (unordered) return static_cast<u64>(i >= 6);
                         const int order = mpfr_cmp(x.value, y.value);
                         const bool results[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};
                         return static_cast<u64>(results[i % 6]);
                       }});
  return cases;
}

std::vector<OpcodeCase> conversion_cases() {
  std::vector<OpcodeCase> cases;
  const std::pair<const char*, FloatShape> floats[] = {{"f16", kShape16}, {"bf16", kShapeB16}, {"f32", kShape32}, {"f64", kShape64}};
  const std::tuple<const char*, mpfr_rnd_t> modes[] = {{".rn", MPFR_RNDN}, {".rz", MPFR_RNDZ}, {".rm", MPFR_RNDD}, {".rp", MPFR_RNDU}};
  for (const auto& [from, from_shape] : floats)
    for (const auto& [to, to_shape] : floats) {
      if (from_shape.bits == to_shape.bits) continue;
      const bool narrows = to_shape.bits < from_shape.bits;
      for (const auto& [suffix, mode] : modes) {
        if (!narrows && mode != MPFR_RNDN) continue;
        cases.push_back({std::string("cvt") + (narrows ? suffix : "") + "." + to + "." + from,
                         "D, A",
                         {from_shape.bits},
                         to_shape.bits,
                         true,
                         [=, m = mode, f = from_shape, t = to_shape](u64 a, u64, u64) {
                           Exact x;
                           decode(a, f, x.value);
                           return encode(x.value, t, m);
                         }});
      }
    }
  const std::tuple<const char*, mpfr_rnd_t> integral[] = {
      {".rni", MPFR_RNDN}, {".rzi", MPFR_RNDZ}, {".rmi", MPFR_RNDD}, {".rpi", MPFR_RNDU}};
  for (const auto& [from, shape] : floats)
    for (const auto& [suffix, mode] : integral)
      for (const int width : {32, 64})
        for (const bool is_signed : {false, true})
          cases.push_back({std::string("cvt") + suffix + (is_signed ? ".s" : ".u") + std::to_string(width) + "." + from,
                           "D, A",
                           {shape.bits},
                           width,
                           true,
                           [=, m = mode, s = shape](u64 a, u64, u64) -> u64 {
                             Exact x;
                             decode(a, s, x.value);
                             if (mpfr_nan_p(x.value)) return width == 64 ? u64{1} << 63 : 0;
                             mpfr_rint(x.value, x.value, m);
                             const u64 mask = width == 64 ? ~u64{0} : 0xffffffffu, most = is_signed ? mask >> 1 : mask;
                             if (mpfr_cmp_ui(x.value, most) > 0) return most;
                             if (!is_signed) return mpfr_sgn(x.value) <= 0 ? 0 : mpfr_get_ui(x.value, MPFR_RNDN);
                             if (mpfr_cmp_si(x.value, -static_cast<long>(most) - 1) < 0) return most + 1;
                             return static_cast<u64>(mpfr_get_si(x.value, MPFR_RNDN)) & mask;
                           }});
  for (const int from : {16, 32, 64})
    for (const bool is_signed : {false, true}) {
      const std::string source = (is_signed ? ".s" : ".u") + std::to_string(from);
      for (const auto& [to, shape] : floats)
        for (const auto& [suffix, mode] : modes)
          cases.push_back({std::string("cvt") + suffix + "." + to + source,
                           "D, A",
                           {from},
                           shape.bits,
                           false,
                           [=, m = mode, s = shape](u64 a, u64, u64) {
                             Exact x;
                             if (is_signed)
                               mpfr_set_si(x.value, signed_of(a, from), MPFR_RNDN);
                             else
                               mpfr_set_ui(x.value, a, MPFR_RNDN);
                             return encode(x.value, s, m);
                           }});
      for (const int to : {16, 32, 64})
        for (const char* kind : {"cvt.u", "cvt.s"})
          cases.push_back({kind + std::to_string(to) + source, "D, A", {from}, to, false, [=](u64 a, u64, u64) {
                             const u64 wide = is_signed ? static_cast<u64>(signed_of(a, from)) : a;
                             return to == 64 ? wide : wide & ((u64{1} << to) - 1);
                           }});
    }
  for (const auto& [to, shape] : {std::pair{"bf16x2", kShapeB16}, std::pair{"f16x2", kShape16}})
    cases.push_back({std::string("cvt.rn.") + to + ".f32", "D, A, B", {32, 32}, 32, true, [s = shape](u64 a, u64 b, u64) {
                       Exact x, y;
                       decode(a, kShape32, x.value);
                       decode(b, kShape32, y.value);
                       return encode(x.value, s, MPFR_RNDN) << 16 | encode(y.value, s, MPFR_RNDN);
                     }});
  return cases;
}

}  // namespace vgpu_tests
