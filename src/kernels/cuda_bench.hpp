// How fast the bundled decode kernels are on the GPU.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace equinorm::kernels {

/// One bf16 decode step: caches of `context` tokens in each row, paged.
struct DecodeShape {
  std::int64_t batch = 4, heads = 16, groups = 16, context = 4096;
  enum class Norm : std::uint8_t { none, alpha_fp32, alpha_bf16 } norm = Norm::none;

  /// Bytes that must come from memory: 1152 a token for the latent and the RoPE key, and its alpha_k.
  double bytes() const;
};

class DecodeBench {
 public:
  /// Throws Error: 'skipped: no driver', ...
  DecodeBench();
  ~DecodeBench();

  std::string device() const;
  /// Bytes read and written in a second by copies on the device, the median of several of `bytes` bytes.
  double copy_bandwidth(std::uint64_t bytes);
  /// Seconds of one decode step on tensor cores, combine included: median over launches of a CUDA graph that goes through several input
  /// sets, together at least four times the L2 cache.
  double decode_seconds(const DecodeShape& shape);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace equinorm::kernels
