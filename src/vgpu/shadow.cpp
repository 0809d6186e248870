#include "vgpu/shadow.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace equinorm::vgpu {
namespace {

/// What a line is called in reports; `place` counts from 1, 0 is no line.
std::string describe_line(const Module& module, std::size_t place) {
  const std::string text = module.describe_place(static_cast<int>(place) - 1);
  return text.empty() ? "(no line)" : text;
}

bool has_kernel(ShadowOp op) { return op != ShadowOp::lg2 && op != ShadowOp::sin && op != ShadowOp::cos && op != ShadowOp::tanh; }

}  // namespace

Shadows::Shadows(Launch& launch, ShadowStore& store)
    : launch_(launch),
      store_(store),
      global_(store.memory),
      wide_(store.wide.get()),
      kernels_(shadow_kernels()),
      lines_(launch.module->places.size() + 1),
      kept_(lines_.size()),
      branches_(lines_.size()),
      constant_pairs_{{0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56}, {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}} {
  const Options& options = launch.options;
  for (std::size_t place = 0; !options.rounding_at.empty() && place < kept_.size(); ++place)
    kept_[place] = describe_line(*launch.module, place) == options.rounding_at ? 1 : 0;
  if (wide_ != nullptr)
    constant_pairs_[0] = wide_->log2_e(), constant_pairs_[1] = wide_->ln_2();
  else if (store.kind == ShadowKind::plain_double)
    for (Pair& one : constant_pairs_) one.low = 0.0;
}

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
  const auto apply_all = store_.kind == ShadowKind::plain_double ? kernels_.apply_plain : kernels_.apply;
  if (mask == kAllLanes) {
    apply_all(op, *x[0], *x[1], *x[2], to);
  } else {
    Pairs result;
    apply_all(op, *x[0], *x[1], *x[2], result);
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
  if (keeps_rounding(d)) keep_rounding(op, v, r, counted, to);
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
  if (store_.kind == ShadowKind::origins) return trace(warp, d, mask);
  if (d.type == Type::f32 && !d.sat && has_kernel(op) && wide_ == nullptr) return arithmetic_lanes(warp, d, mask, op);
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
      if (op == ShadowOp::fma && d.mode != 0) {
        Operand& turned = x[static_cast<FmaSigns>(d.mode) == FmaSigns::minus_product ? 0 : 2];
        turned = {apply(d, ShadowOp::neg, turned.shadow, {}, {}), negate(turned.value)};
      }
      shadow[h][i] = apply(d, op, x[0].shadow, x[1].shadow, x[2].shadow);
      exact[h][i] = apply_pair(op, x[0].value, x[1].value, x[2].value);
      if (!d.sat) continue;
      Pair &y = shadow[h][i], &z = exact[h][i];
      y = !(y.high > 0.0) ? Pair{} : is_less({1.0, 0.0}, y) ? Pair{1.0, 0.0} : y;
      z = !(z.high > 0.0) ? Pair{} : less({1.0, 0.0}, z) ? Pair{1.0, 0.0} : z;
    }
  d.handler(warp, d, mask);
  for (int h = 0; h < (is_packed ? 2 : 1); ++h)
    for (int i = 0; i < kLanes; ++i) {
      if ((mask >> i & 1) == 0) continue;
      const int half = is_packed ? h : -1;
      const double result = read_float(lane_bits(warp, d.slot[0], type, half, i), type);
      write(warp, d.slot[0], type, half, i, note(warp, d, i, exact[h][i], result, type, finite[h][i], shadow[h][i]));
    }
}

void Shadows::run(Warp& warp, const Decoded& d, u32 mask) {
  if (wide_ != nullptr && wide_->is_full()) collect();
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
    case ShadowOp::compare:
      return compare(warp, d, mask);
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
    LineError& one = by_place[describe_line(*launch_.module, place)];
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
  std::map<std::string, u64> others;
  for (std::size_t place = 0; place < branches_.size(); ++place)
    if (branches_[place] != 0) others[describe_line(*launch_.module, place)] += branches_[place];
  for (const auto& [place, count] : others) report.branches.push_back({place, count});
  std::stable_sort(report.branches.begin(), report.branches.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
}

}  // namespace equinorm::vgpu
