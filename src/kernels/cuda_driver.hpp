// The CUDA driver and NVRTC, loaded at run time: nothing of CUDA is needed to build or to start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace equinorm::kernels::cuda {

// Types of cuda.h and nvrtc.h, as their binary interface has them.
using Result = int;
using Device = int;
using Pointer = unsigned long long;
using Handle = void*;  ///< CUcontext, CUmodule, CUfunction, CUstream, CUevent, CUgraph, CUgraphExec

inline constexpr int kAttributeMultiprocessors = 16, kAttributeMajor = 75, kAttributeMinor = 76, kAttributeL2Bytes = 38;
inline constexpr int kAttributeSharedOptIn = 97;
inline constexpr int kFunctionDynamicShared = 8;
inline constexpr int kJitErrorBuffer = 5, kJitErrorBufferBytes = 6;
inline constexpr int kCaptureThreadLocal = 1;

/// Functions of libcuda.so.1, by their names without the prefix cu.
struct Driver {
  Result (*Init)(unsigned) = nullptr;
  Result (*DriverGetVersion)(int*) = nullptr;
  Result (*GetErrorName)(Result, const char**) = nullptr;
  Result (*GetErrorString)(Result, const char**) = nullptr;
  Result (*DeviceGetCount)(int*) = nullptr;
  Result (*DeviceGet)(Device*, int) = nullptr;
  Result (*DeviceGetName)(char*, int, Device) = nullptr;
  Result (*DeviceGetAttribute)(int*, int, Device) = nullptr;
  Result (*DevicePrimaryCtxRetain)(Handle*, Device) = nullptr;
  Result (*DevicePrimaryCtxRelease)(Device) = nullptr;
  Result (*CtxSetCurrent)(Handle) = nullptr;
  Result (*ModuleLoadDataEx)(Handle*, const void*, unsigned, int*, void**) = nullptr;
  Result (*ModuleUnload)(Handle) = nullptr;
  Result (*ModuleGetFunction)(Handle*, Handle, const char*) = nullptr;
  Result (*FuncSetAttribute)(Handle, int, int) = nullptr;
  Result (*MemAlloc)(Pointer*, std::size_t) = nullptr;
  Result (*MemFree)(Pointer) = nullptr;
  Result (*MemcpyHtoD)(Pointer, const void*, std::size_t) = nullptr;
  Result (*MemcpyDtoH)(void*, Pointer, std::size_t) = nullptr;
  Result (*MemcpyDtoDAsync)(Pointer, Pointer, std::size_t, Handle) = nullptr;
  Result (*MemsetD8)(Pointer, unsigned char, std::size_t) = nullptr;
  Result (*LaunchKernel)(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle, void**, void**) = nullptr;
  Result (*StreamCreate)(Handle*, unsigned) = nullptr;
  Result (*StreamDestroy)(Handle) = nullptr;
  Result (*StreamSynchronize)(Handle) = nullptr;
  Result (*StreamBeginCapture)(Handle, int) = nullptr;
  Result (*StreamEndCapture)(Handle, Handle*) = nullptr;
  Result (*GraphInstantiate)(Handle*, Handle, unsigned long long) = nullptr;
  Result (*GraphLaunch)(Handle, Handle) = nullptr;
  Result (*GraphExecDestroy)(Handle) = nullptr;
  Result (*GraphDestroy)(Handle) = nullptr;
  Result (*EventCreate)(Handle*, unsigned) = nullptr;
  Result (*EventDestroy)(Handle) = nullptr;
  Result (*EventRecord)(Handle, Handle) = nullptr;
  Result (*EventSynchronize)(Handle) = nullptr;
  Result (*EventElapsedTime)(float*, Handle, Handle) = nullptr;

  /// Throws Error "WHAT: NAME: TEXT" unless `result` is success.
  void check(Result result, const std::string& what) const;
};

/// The driver, initialised; loaded once. Throws Error "skipped: no driver (why)" where there is none, or no device. The environment
/// variable EQUINORM_CUDA_DRIVER names another library than libcuda.so.1.
const Driver& driver();

/// What there is, in a few words ("CUDA 13.0, NVIDIA H100 (sm_90)"); empty: no driver. Never throws.
std::string driver_description();
/// Path or version of NVRTC; empty: none. Never throws.
std::string nvrtc_description();

/// Compiles CUDA C++ to PTX or cubin for sm_TARGET. Throws Error: no NVRTC ("skipped: no NVRTC"), or the compiler's log on one line.
std::string compile_source(const std::string& path, const std::vector<std::string>& options, int target);

}  // namespace equinorm::kernels::cuda
