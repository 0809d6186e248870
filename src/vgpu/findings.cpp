#include <algorithm>
#include <array>
#include <sstream>

#include "vgpu/launch.hpp"

namespace equinorm::vgpu {

const char* to_string(FindingKind kind) {
  constexpr std::array<const char*, 12> kNames{"out of bounds",      "misaligned address",
                                               "uninitialised read", "race in shared memory",
                                               "divergent barrier",  "divergent warp instruction",
                                               "deadlock",           "trap",
                                               "limit reached",      "bad address",
                                               "not a number",       "race of blocks in global memory"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string to_string(const Finding& finding) {
  std::ostringstream out;
  out << to_string(finding.kind) << ": " << finding.kernel;
  if (!finding.place.empty()) out << " at " << finding.place;
  out << ", PTX line " << finding.line << " (" << finding.opcode << "), block (" << finding.block[0] << ',' << finding.block[1] << ','
      << finding.block[2] << ") thread (" << finding.thread[0] << ',' << finding.thread[1] << ',' << finding.thread[2] << ')';
  if (finding.bytes != 0)
    out << ", " << finding.bytes << " bytes at " << to_string(finding.space) << " 0x" << std::hex << finding.address << std::dec;
  if (!finding.detail.empty()) out << ": " << finding.detail;
  if (finding.count > 1) out << " (" << finding.count << " times)";
  return out.str();
}

bool LaunchReport::has(FindingKind kind) const {
  return std::any_of(findings.begin(), findings.end(), [kind](const Finding& finding) { return finding.kind == kind; });
}

void report(Warp& warp, const Decoded& instruction, FindingKind kind, int lane, u64 address, u32 bytes, Space space, const char* detail) {
  Launch& launch = *warp.block->launch;
  const auto [known, is_new] = launch.known.try_emplace({kind, &instruction}, launch.report->findings.size());
  if (!is_new) {
    ++launch.report->findings[known->second].count;
    return;
  }
  Finding finding;
  finding.kind = kind;
  finding.kernel = launch.kernel;
  finding.line = instruction.line;
  if (instruction.row >= 0) finding.opcode = rows()[static_cast<std::size_t>(instruction.row)].pattern;
  finding.opcode = finding.opcode.substr(0, finding.opcode.find(' '));
  finding.place = launch.module->describe_place(instruction.place);
  std::copy_n(warp.block->index, 3, finding.block.begin());
  const u32 thread = warp.index * kLanes + static_cast<u32>(lane);
  const auto& size = launch.grid.threads;
  finding.thread = {thread % size[0], thread / size[0] % size[1], thread / (size[0] * size[1])};
  finding.space = space;
  finding.address = address;
  finding.bytes = bytes;
  finding.count = 1;
  finding.detail = detail;
  launch.report->findings.push_back(std::move(finding));
  launch.turns.push_back(launch.turn);
}

bool report_access(Warp& warp, const Decoded& instruction, int lane, const View& view, u64 offset, u32 bytes, bool is_write, Space space) {
  const u64 address = space == Space::global ? offset + view.base : offset;
  if (view.data == nullptr || view.size < bytes || offset > view.size - bytes) {
    report(warp, instruction, FindingKind::out_of_bounds, lane, address, bytes, space,
           is_write ? "write outside the space" : "read outside the space");
    return false;
  }
  // Vectors of a size that is no power of two do not exist; alignment is that of the whole access.
  if ((offset & (bytes - 1)) != 0) {
    report(warp, instruction, FindingKind::misaligned, lane, address, bytes, space, is_write ? "write" : "read");
    return false;
  }
  const std::uint8_t* state = view.state + offset;
  if (std::count(state, state + bytes, kForbidden) != 0) {
    std::string detail = is_write ? "write" : "read";
    const GlobalMemory::Allocation* near = space == Space::global ? warp.block->launch->memory->nearest(address) : nullptr;
    if (near != nullptr && near->is_free) {
      detail += " of freed memory";
    } else if (near != nullptr) {
      const bool before = address < near->address;
      detail += " " + std::to_string(before ? near->address - address : address - near->address) + " bytes " +
                (before ? "before" : "after") + " the start of an allocation of " + std::to_string(near->bytes);
    } else {
      detail += " outside every variable";
    }
    report(warp, instruction, FindingKind::out_of_bounds, lane, address, bytes, space, detail.c_str());
    return false;
  }
  if (!is_write) report(warp, instruction, FindingKind::uninitialised, lane, address, bytes, space, "read before any write");
  return true;
}

}  // namespace equinorm::vgpu
