// Shadows of the kind origins: a NaN or an infinity carries where it was made.
#include <cmath>
#include <sstream>

#include "vgpu/shadow.hpp"

namespace equinorm::vgpu {

void Shadows::Seen::add(const Operand& operand) {
  if (std::isfinite(operand.value.high)) return;
  (std::isnan(operand.value.high) ? nan : infinity) = true;
  if (origin == 0) origin = origin_of(operand.shadow);
}

/// The number of the origin of a result that is not finite.
u64 Shadows::origin(Warp& warp, const Decoded& d, int lane, const Seen& seen, double result) {
  if (seen.origin != 0) return seen.origin;
  if (store_.origins.size() >= kMostOrigins) return 0;
  const Block& block = *warp.block;
  const auto &blocks = launch_.grid.blocks, &size = launch_.grid.threads;
  const u32 thread = warp.index * kLanes + static_cast<u32>(lane);
  const u64 who = (block.index[0] + u64{blocks[0]} * (block.index[1] + u64{blocks[1]} * block.index[2])) * block.threads + thread;
  const auto [known, is_new] = origin_numbers_.try_emplace({&d, who}, store_.origins.size() + 1);
  if (!is_new) return known->second;
  Origin made;
  const std::string what = std::isnan(result) ? "a NaN" : "an infinity";
  made.what = seen.nan             ? what + " from a NaN of an input or a constant"
              : !seen.infinity     ? what + " from finite numbers"
              : std::isnan(result) ? what + " from infinities"
                                   : what + " from an infinity of an input or a constant";
  made.kernel = launch_.kernel;
  made.opcode = rows()[static_cast<std::size_t>(d.row)].pattern;
  made.opcode = made.opcode.substr(0, made.opcode.find(' '));
  made.place = launch_.module->describe_place(d.place);
  made.line = d.line;
  made.block = {block.index[0], block.index[1], block.index[2]};
  made.thread = {thread % size[0], thread / size[0] % size[1], thread / (size[0] * size[1])};
  store_.origins.push_back(std::move(made));
  return known->second;
}

/// Arithmetic and conversions.
void Shadows::trace(Warp& warp, const Decoded& d, u32 mask) {
  const bool converts = d.shadow == ShadowOp::convert;
  if (converts && (!is_float(d.type) || !is_float(d.second_type))) {
    d.handler(warp, d, mask);
    return settle(warp, d, mask);
  }
  const Type to = element_of(d.type), from = converts ? d.second_type : to;
  const bool is_pair = size_of(to) == 2 && size_of(d.type) == 4;
  const u32 operands = converts ? 1 : d.slot_count - 1;
  Seen seen[2][kLanes];
  for (int h = 0; h < (is_pair ? 2 : 1); ++h)
    for (u32 rest = mask; rest != 0; rest &= rest - 1) {
      const int i = std::countr_zero(rest);
      for (u32 k = 0; k < operands && k < 3; ++k) {
        const u32 slot = converts && is_pair ? d.slot[2 - h] : d.slot[k + 1];
        const int half = converts ? (is_pair || d.source_bytes != 4 || size_of(from) == 4 ? -1 : 0) : is_pair ? h : -1;
        seen[h][i].add(read(warp, slot, from, half, i));
      }
    }
  d.handler(warp, d, mask);
  settle(warp, d, mask);
  for (int h = 0; h < (is_pair ? 2 : 1); ++h)
    for (u32 rest = mask; rest != 0; rest &= rest - 1) {
      const int i = std::countr_zero(rest), half = is_pair ? h : converts && d.register_bytes == 4 && size_of(to) == 2 ? 0 : -1;
      const double result = read_float(lane_bits(warp, d.slot[0], to, half, i), to);
      if (!std::isfinite(result)) write(warp, d.slot[0], to, half, i, origin_pair(origin(warp, d, i, seen[h][i], result)));
    }
}

std::string to_string(const Origin& origin) {
  std::ostringstream out;
  out << origin.what << ": " << origin.kernel;
  if (!origin.place.empty()) out << " at " << origin.place;
  out << ", PTX line " << origin.line << " (" << origin.opcode << "), block (" << origin.block[0] << ',' << origin.block[1] << ','
      << origin.block[2] << ") thread (" << origin.thread[0] << ',' << origin.thread[1] << ',' << origin.thread[2] << ')';
  return out.str();
}

}  // namespace equinorm::vgpu
