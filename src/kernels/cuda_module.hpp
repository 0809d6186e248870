// A CUDA module on the GPU: context, code, memory with guard regions.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/cuda_driver.hpp"
#include "kernels/cuda_manifest.hpp"

namespace equinorm::kernels::cuda {

/// The primary context of the first device, current on this thread; released on destruction.
class Context {
 public:
  Context();
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  int attribute(int which) const;
  /// Compute capability as in sm_90.
  int target() const { return 10 * attribute(kAttributeMajor) + attribute(kAttributeMinor); }
  std::string name() const;

 private:
  Device device_ = 0;
  Handle context_ = nullptr;
};

/// Loaded code: cubin, fatbin or PTX (then compiled by the driver, whose log is part of the message if that fails).
class Code {
 public:
  Code(const std::string& image, const std::string& origin);
  ~Code();
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  /// A kernel, allowed `shared` bytes of dynamic shared memory.
  Handle function(const std::string& entry, std::uint32_t shared) const;

 private:
  Handle module_ = nullptr;
  std::string origin_;
};

/// Memory with a guard region on either side, which kernels must leave alone.
class GuardedBuffer {
 public:
  static constexpr std::size_t kGuard = 4096;

  GuardedBuffer(std::string name, std::size_t bytes);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  Pointer address() const { return base_ + kGuard; }
  void upload(std::span<const std::byte> bytes);
  void fill(unsigned char byte);
  /// What is wrong with the guards; empty: nothing.
  std::string damage() const;

 private:
  std::string name_;
  std::size_t bytes_;
  Pointer base_ = 0;
};

/// The code that suits the device best: the newest module of the manifest that is not newer than it, else its source through NVRTC.
std::unique_ptr<Code> load_code(const CudaManifest& manifest, const Context& context);

}  // namespace equinorm::kernels::cuda
