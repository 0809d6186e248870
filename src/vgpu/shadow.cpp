#include "vgpu/shadow.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace equinorm::vgpu {
namespace {

struct KnownConstant {
  u32 bits;
  const char* name;
  Pair value;
};
/// Constants that kernels hold as roundings of irrational numbers; with rounding removed they are those numbers.
constexpr KnownConstant kConstants[] = {{0x3fb8aa3b, "log2(e)", {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56}},
                                        {0x3f317218, "ln(2)", {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}}};

Type element_of(Type type) {
  return type == Type::f16x2 ? Type::f16 : type == Type::bf16x2 ? Type::bf16 : type == Type::b32 || type == Type::u32 ? Type::f32 : type;
}

u64 lane_bits(const Warp& warp, u32 slot, Type type, int half, int lane) {
  switch (type) {
    case Type::f16:
    case Type::bf16:
      return warp.lanes<u16>(slot)[lane * (half < 0 ? 1 : 2) + std::max(half, 0)];
    case Type::f64:
      return warp.lanes<u64>(slot)[lane];
    default:
      return warp.lanes<u32>(slot)[lane];
  }
}

Pair apply(ShadowOp op, Pair a, Pair b, Pair c) {
  switch (op) {
    case ShadowOp::add:
      return add(a, b);
    case ShadowOp::sub:
      return add(a, negate(b));
    case ShadowOp::mul:
      return multiply(a, b);
    case ShadowOp::fma:
      return add(multiply(a, b), c);
    case ShadowOp::div:
      return divide(a, b);
    case ShadowOp::rcp:
      return divide({1.0, 0.0}, a);
    case ShadowOp::sqrt:
      return square_root(a);
    case ShadowOp::rsqrt:
      return divide({1.0, 0.0}, square_root(a));
    case ShadowOp::ex2:
      return power_of_two(a);
    case ShadowOp::min:
      return std::isnan(a.high) ? b : std::isnan(b.high) ? a : less(b, a) ? b : a;
    case ShadowOp::max:
      return std::isnan(a.high) ? b : std::isnan(b.high) ? a : less(a, b) ? b : a;
    case ShadowOp::abs:
      return std::signbit(a.high) ? negate(a) : a;
    case ShadowOp::neg:
      return negate(a);
    default:
      return evaluate(op, a);
  }
}

bool has_kernel(ShadowOp op) { return op != ShadowOp::lg2 && op != ShadowOp::sin && op != ShadowOp::cos && op != ShadowOp::tanh; }

}  // namespace

Shadows::Shadows(Launch& launch, ShadowMemory& global)
    : launch_(launch), global_(global), kernels_(shadow_kernels()), lines_(launch.module->places.size() + 1) {}

void Shadows::start_block(Block& block) {
  files_.resize(block.warps.size());
  const std::size_t slots = launch_.program->image.size() / 64 + 1;
  for (File& file : files_) {
    file.states.assign(slots, {});
    file.values.resize(slots);
  }
  shared_.clear();
  local_.clear();
}

SlotValues& Shadows::values(const Warp& warp, u32 slot) {
  auto& entry = files_[warp.index].values[slot / 64];
  if (entry == nullptr) entry = std::make_unique<SlotValues>();
  return *entry;
}

/// The results of an instruction whose shadow is not followed.
void Shadows::drop(Warp& warp, const Decoded& d, u32 mask) {
  const u32* slots = slots_of(d);
  for (int at = 0; at < d.results; ++at) {
    if (slots[at] < kPredicateBytes) continue;
    SlotState& to = state(warp, slots[at]);
    to.forget(mask);
    to.lost |= mask;
    to.written = true;
  }
}

void Shadows::settle(Warp& warp, const Decoded& d, u32 mask) {
  drop(warp, d, mask);
  const u32* slots = slots_of(d);
  for (int at = 0; at < d.results; ++at)
    if (slots[at] >= kPredicateBytes) state(warp, slots[at]).lost &= ~mask;
}

const Pairs& Shadows::read_lanes(Warp& warp, u32 number, u32 mask, Pairs& started) {
  const SlotState& known = state(warp, number);
  if ((known.whole & mask) == mask) return values(warp, number).value[0];
  const float* lanes = warp.lanes<float>(number);
  kernels_.start(lanes, known.whole, known.whole != 0 ? values(warp, number).value[0] : started, started);
  const u32 bits = warp.lanes<u32>(number)[std::countr_zero(mask)];
  if (!known.written)
    for (const KnownConstant& constant : kConstants)
      if ((bits & 0x7fffffffu) == constant.bits) {
        for (int i = 0; i < kLanes; ++i) started.set(i, bits == constant.bits ? constant.value : negate(constant.value));
        ++constants_[constant.name];
      }
  u32 lost = known.lost & mask & ~known.whole;
  for (u32 rest = known.half[1] & mask & ~known.whole; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    if ((warp.lanes<u32>(number)[i] & 0xffff) != 0) continue;
    started.set(i, values(warp, number).value[1][i]);  // bf16 in the upper half is binary32
    lost &= ~(u32{1} << i);
  }
  launch_.report->shadow.restarts += static_cast<u64>(std::popcount(lost));
  return started;
}

/// `half` is -1 for a number that has the register for itself.
Shadows::Operand Shadows::read(Warp& warp, u32 number, Type type, int half, int lane) {
  const u64 bits = lane_bits(warp, number, type, half, lane);
  Operand operand;
  operand.value = {read_float(bits, type), 0.0};
  operand.shadow = operand.value;
  const SlotState& known = state(warp, number);
  const u32 bit = u32{1} << lane;
  if (!known.written) {
    if (type == Type::f32)
      for (const KnownConstant& constant : kConstants)
        if ((bits & 0x7fffffffu) == constant.bits) {
          operand.shadow = bits == constant.bits ? constant.value : negate(constant.value);
          ++constants_[constant.name];
        }
    return operand;
  }
  const bool is_half = type == Type::f16 || type == Type::bf16;
  const int h = std::max(half, 0);
  if (((is_half ? known.half[h] : known.whole) & bit) != 0) {
    operand.shadow = values(warp, number).value[is_half ? h : 0][lane];
  } else if (type == Type::f32 && (known.half[1] & bit) != 0 && (bits & 0xffff) == 0) {
    operand.shadow = values(warp, number).value[1][lane];  // bf16 in the upper half is binary32
  } else if ((known.lost & bit) != 0) {
    ++launch_.report->shadow.restarts;
  }
  return operand;
}

void Shadows::write(Warp& warp, u32 number, Type type, int half, int lane, Pair value) {
  SlotState& to = state(warp, number);
  const u32 bit = u32{1} << lane;
  to.lost &= ~bit;
  to.written = true;
  if (type == Type::f16 || type == Type::bf16) {
    const int h = std::max(half, 0);
    to.whole &= ~bit;
    to.half[h] |= bit;
    values(warp, number).value[h].set(lane, value);
  } else {
    to.half[0] &= ~bit;
    to.half[1] &= ~bit;
    to.whole |= bit;
    values(warp, number).value[0].set(lane, value);
  }
}

void Shadows::note(Warp& warp, const Decoded& d, int lane, Pair exact, double result, Type type, bool finite_operands) {
  ++launch_.report->shadow.operations;
  if (!std::isfinite(result) || !std::isfinite(exact.high)) {
    if (launch_.options.find_nan && finite_operands && !std::isfinite(result))
      report(warp, d, FindingKind::not_a_number, lane, 0, 0, Space::reg,
             std::isnan(result) ? "a NaN from finite numbers" : "an infinity from finite numbers");
    return;
  }
  const int precision = type == Type::f64 ? 53 : type == Type::f32 ? 24 : type == Type::f16 ? 11 : 8;
  const int smallest = type == Type::f64 ? -1022 : type == Type::f16 ? -14 : -126;
  const double error = std::fabs((result - exact.high) - exact.low);
  LineStatistics& place = line(d);
  ++place.operations;
  place.sum[lane] += error;
  if (error == 0.0) return;
  const int exponent = result == 0.0 ? smallest : std::max(std::ilogb(result), smallest);
  place.largest_ulp[lane] = std::max(place.largest_ulp[lane], std::scalbn(error, precision - 1 - exponent));
}

/// binary32 in all lanes at once.
void Shadows::arithmetic_lanes(Warp& warp, const Decoded& d, u32 mask, ShadowOp op) {
  const u32 operands = d.slot_count - 1;
  Pairs started[3];
  alignas(64) float kept[3][kLanes];
  const Pairs* x[3];
  const float* v[3];
  for (u32 k = 0; k < 3; ++k) {
    const u32 number = d.slot[k < operands ? k + 1 : 1];
    x[k] = k < operands ? &read_lanes(warp, number, mask, started[k]) : x[0];
    v[k] = warp.lanes<float>(number);
    if (number == d.slot[0]) v[k] = std::copy_n(v[k], kLanes, kept[k]) - kLanes;
    const auto turned = op == ShadowOp::fma ? static_cast<FmaSigns>(d.mode) : FmaSigns::none;
    if ((k == 0 && turned == FmaSigns::minus_product) || (k == 2 && turned == FmaSigns::minus_addend)) {
      for (int i = 0; i < kLanes; ++i) kept[k][i] = -v[k][i];
      v[k] = kept[k];
      if (x[k] != &started[k]) started[k] = *x[k];
      kernels_.apply(ShadowOp::neg, started[k], started[k], started[k], started[k]);
      x[k] = &started[k];
    }
  }
  Pairs& to = values(warp, d.slot[0]).value[0];
  if (mask == kAllLanes) {
    kernels_.apply(op, *x[0], *x[1], *x[2], to);
  } else {
    Pairs result;
    kernels_.apply(op, *x[0], *x[1], *x[2], result);
    kernels_.merge(result, mask, to);
  }
  SlotState& known = state(warp, d.slot[0]);
  known.forget(mask);
  known.whole |= mask;
  known.lost &= ~mask;
  known.written = true;
  d.handler(warp, d, mask);
  const float* r = warp.lanes<float>(d.slot[0]);
  LineStatistics& place = line(d);
  const u32 counted = kernels_.note(op, v[0], v[1], v[2], r, mask, place);
  place.operations += static_cast<u64>(std::popcount(counted));
  launch_.report->shadow.operations += static_cast<u64>(std::popcount(mask));
  if (!launch_.options.find_nan) return;
  for (u32 rest = mask & ~counted; rest != 0; rest &= rest - 1) {
    const int i = std::countr_zero(rest);
    if (std::isfinite(r[i]) || !std::isfinite(v[0][i]) || !std::isfinite(v[1][i]) || !std::isfinite(v[2][i])) continue;
    report(warp, d, FindingKind::not_a_number, i, 0, 0, Space::reg,
           std::isnan(r[i]) ? "a NaN from finite numbers" : "an infinity from finite numbers");
  }
}

void Shadows::arithmetic(Warp& warp, const Decoded& d, u32 mask) {
  const ShadowOp op = d.shadow;
  if (d.type == Type::f32 && !d.sat && has_kernel(op)) return arithmetic_lanes(warp, d, mask, op);
  const Type type = element_of(d.type);
  const bool is_packed = type != d.type && size_of(d.type) == 4 && size_of(type) == 2;
  const u32 operands = d.slot_count - 1;
  Pair shadow[2][kLanes], exact[2][kLanes];
  bool finite[2][kLanes];
  for (int h = 0; h < (is_packed ? 2 : 1); ++h)
    for (int i = 0; i < kLanes; ++i) {
      if ((mask >> i & 1) == 0) continue;
      Operand x[3];
      finite[h][i] = true;
      for (u32 k = 0; k < operands && k < 3; ++k) {
        x[k] = read(warp, d.slot[k + 1], type, is_packed ? h : -1, i);
        finite[h][i] &= std::isfinite(x[k].value.high);
      }
      shadow[h][i] = apply(op, x[0].shadow, x[1].shadow, x[2].shadow);
      exact[h][i] = apply(op, x[0].value, x[1].value, x[2].value);
      if (d.sat)
        for (Pair* y : {&shadow[h][i], &exact[h][i]}) *y = !(y->high > 0.0) ? Pair{} : less({1.0, 0.0}, *y) ? Pair{1.0, 0.0} : *y;
    }
  d.handler(warp, d, mask);
  for (int h = 0; h < (is_packed ? 2 : 1); ++h)
    for (int i = 0; i < kLanes; ++i) {
      if ((mask >> i & 1) == 0) continue;
      const int half = is_packed ? h : -1;
      note(warp, d, i, exact[h][i], read_float(lane_bits(warp, d.slot[0], type, half, i), type), type, finite[h][i]);
      write(warp, d.slot[0], type, half, i, shadow[h][i]);
    }
}

/// An integer of at most 32 bits is its own shadow.
void Shadows::convert_integer(Warp& warp, const Decoded& d, u32 mask) {
  double exact[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    const u64 bits = d.source_bytes == 2   ? warp.lanes<u16>(d.slot[1])[i]
                     : d.source_bytes == 8 ? warp.lanes<u64>(d.slot[1])[i]
                                           : warp.lanes<u32>(d.slot[1])[i];
    exact[i] = std::bit_cast<double>(vgpu::convert(bits, d.second_type, Type::f64, Rounding::nearest, false, false, false, false, false));
  }
  d.handler(warp, d, mask);
  for (int i = 0; i < kLanes; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const int half = d.register_bytes == 4 && size_of(d.type) == 2 ? 0 : -1;
    note(warp, d, i, {exact[i], 0.0}, read_float(lane_bits(warp, d.slot[0], d.type, half, i), d.type), d.type, true);
    write(warp, d.slot[0], d.type, half, i, {exact[i], 0.0});
  }
}

/// cvt between floats; from an integer the shadow is the integer.
void Shadows::convert(Warp& warp, const Decoded& d, u32 mask) {
  const Type to = element_of(d.type);
  const bool is_pair = size_of(to) == 2 && size_of(d.type) == 4;
  if (!is_float(d.type) || d.to_integer || d.sat || d.relu ||
      (!is_float(d.second_type) && (size_of(d.second_type) > 4 || d.register_bytes > 4))) {
    d.handler(warp, d, mask);
    return drop(warp, d, mask);
  }
  if (!is_float(d.second_type)) return convert_integer(warp, d, mask);
  if (d.type == Type::f32 && size_of(d.second_type) == 2 && !state(warp, d.slot[1]).has_any(mask) &&
      (state(warp, d.slot[1]).lost & mask) == 0) {
    d.handler(warp, d, mask);  // exact
    launch_.report->shadow.operations += static_cast<u64>(std::popcount(mask));
    line(d).operations += static_cast<u64>(std::popcount(mask));
    return settle(warp, d, mask);
  }
  Pair shadow[2][kLanes], exact[2][kLanes];
  for (int h = 0; h < (is_pair ? 2 : 1); ++h)
    for (int i = 0; i < kLanes; ++i)
      if ((mask >> i & 1) != 0) {
        const Operand x = read(warp, d.slot[is_pair ? 2 - h : 1], d.second_type,
                               is_pair || d.source_bytes != 4 || size_of(d.second_type) == 4 ? -1 : 0, i);
        shadow[h][i] = x.shadow;
        exact[h][i] = x.value;
      }
  d.handler(warp, d, mask);
  for (int h = 0; h < (is_pair ? 2 : 1); ++h)
    for (int i = 0; i < kLanes; ++i)
      if ((mask >> i & 1) != 0) {
        const int half = is_pair ? h : d.register_bytes == 4 && size_of(to) == 2 ? 0 : -1;
        note(warp, d, i, exact[h][i], read_float(lane_bits(warp, d.slot[0], to, half, i), to), to, true);
        write(warp, d.slot[0], to, half, i, shadow[h][i]);
      }
}

void Shadows::run(Warp& warp, const Decoded& d, u32 mask) {
  switch (d.shadow) {
    case ShadowOp::none:
      d.handler(warp, d, mask);
      return drop(warp, d, mask);
    case ShadowOp::move:
    case ShadowOp::select:
      return move(warp, d, mask);
    case ShadowOp::pack:
      return pack(warp, d, mask);
    case ShadowOp::unpack:
      return unpack(warp, d, mask);
    case ShadowOp::shift:
      return shift(warp, d, mask);
    case ShadowOp::byte_permute:
      return permute(warp, d, mask);
    case ShadowOp::mask_bits:
      return mask_bits(warp, d, mask);
    case ShadowOp::shuffle:
      return shuffle(warp, d, mask);
    case ShadowOp::load:
      return load(warp, d, mask);
    case ShadowOp::store:
      return store(warp, d, mask);
    case ShadowOp::store_matrix:
      return store_matrix(warp, d, mask);
    case ShadowOp::load_matrix:
      return load_matrix(warp, d, mask);
    case ShadowOp::copy_async:
      return copy_async(warp, d, mask);
    case ShadowOp::atomic:
      return atomic(warp, d, mask);
    case ShadowOp::convert:
      return convert(warp, d, mask);
    case ShadowOp::matrix:
      return matrix(warp, d, mask);
    default:
      return arithmetic(warp, d, mask);
  }
}

void Shadows::summarise() {
  ShadowReport& report = launch_.report->shadow;
  std::map<std::string, LineError> by_place;  // several PTX places may have one description
  for (std::size_t place = 0; place < lines_.size(); ++place) {
    const LineStatistics& line = lines_[place];
    if (line.operations == 0) continue;
    LineError& one = by_place[launch_.module->describe_place(static_cast<int>(place) - 1)];
    one.operations += line.operations;
    for (int i = 0; i < kLanes; ++i) {
      one.sum += line.sum[i];
      one.largest_ulp = std::max(one.largest_ulp, line.largest_ulp[i]);
    }
  }
  for (auto& [place, line] : by_place) {
    line.place = place;
    report.lines.push_back(line);
  }
  std::stable_sort(report.lines.begin(), report.lines.end(), [](const LineError& a, const LineError& b) { return a.sum > b.sum; });
  for (const auto& [name, count] : constants_) report.constants.push_back(name);
}

}  // namespace equinorm::vgpu
