// The table of `equinorm bench decode`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace equinorm::commands {

/// One context: what a decode step took (seconds, bytes from memory) without norm, with alpha_k in fp32, in bf16.
struct DecodeRow {
  std::int64_t context = 0;
  double seconds[3] = {}, bytes[3] = {};

  /// How much longer variant i (1, 2) takes than without norm, as a fraction; and how many more bytes it reads.
  double overhead(int i) const { return seconds[i] / seconds[0] - 1; }
  double byte_ratio(int i) const { return bytes[i] / bytes[0] - 1; }
  /// Bytes in a second, as a share of what copies reach.
  double bandwidth_share(int i, double copy_bandwidth) const { return bytes[i] / seconds[i] / copy_bandwidth; }
};

/// The contexts of the paper's table, 4k to 256k.
std::vector<std::int64_t> decode_contexts();
/// Our rows beside the paper's (H800, batch 4, bf16, torch.compile, one layer). copy_bandwidth in bytes a second.
std::string decode_table(const std::string& device, double copy_bandwidth, const std::vector<DecodeRow>& rows);
/// The same as JSON.
std::string decode_json(const std::string& device, double copy_bandwidth, const std::vector<DecodeRow>& rows);

}  // namespace equinorm::commands
