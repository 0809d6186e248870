// Shared libraries that export kernel.h.
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/backend.hpp"
#include "kernels/poison.hpp"
#include "kernels/wire.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kAlignment = 256;
constexpr std::uint64_t kMaxWorkspace = std::uint64_t{1} << 40;
/// So much of a workspace is poisoned anew before each run; more would cost more than the run.
constexpr std::uint64_t kPoisoned = std::uint64_t{64} << 20;

/// Memory between two pages that cannot be touched, its end close to the second.
class Workspace {
 public:
  ~Workspace() { release(); }

  /// At least `bytes` bytes, aligned, full of poison; null for 0.
  void* get(std::uint64_t bytes) {
    if (bytes == 0) return nullptr;
    if (bytes != bytes_) allocate(bytes);
    static const Poison kPoison(0x776f726b);
    kPoison.fill(data_, std::min(bytes, kPoisoned), 0);
    return data_;
  }

 private:
  void allocate(std::uint64_t bytes) {
    release();
    if (bytes > kMaxWorkspace) throw Error(fmt::format("workspace of {} bytes; allowed: up to {}", bytes, kMaxWorkspace));
    const std::uint64_t room = (bytes + kPage - 1) / kPage * kPage;
    void* base = mmap(nullptr, room + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED || mprotect(static_cast<std::byte*>(base) + kPage, room, PROT_READ | PROT_WRITE) != 0)
      throw Error(fmt::format("workspace of {} bytes: not enough memory", bytes));
    base_ = static_cast<std::byte*>(base), size_ = room + 2 * kPage, bytes_ = bytes;
    data_ = base_ + kPage + room - (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  void release() {
    if (base_ != nullptr) munmap(base_, size_);
    base_ = nullptr, bytes_ = 0;
  }

  std::byte *base_ = nullptr, *data_ = nullptr;
  std::uint64_t size_ = 0, bytes_ = 0;
};

class LibraryBackend : public Backend {
 public:
  explicit LibraryBackend(const std::string& path) : path_(path), library_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw Error(fmt::format("{}: not loaded: {}", path, dlerror()));
    describe_ = find<const char*()>("equinorm_kernel_describe", true);
    run_ = find<std::int32_t(const equinorm_call*)>("equinorm_kernel_run", true);
    workspace_ = find<std::uint64_t(const equinorm_call*)>("equinorm_kernel_workspace", false);
  }

  std::string describe() override {
    const char* text = describe_();
    if (text == nullptr) throw Error(fmt::format("{}: equinorm_kernel_describe returned no text", path_));
    const std::size_t size = strnlen(text, kMaxDeclaration + 1);
    if (size > kMaxDeclaration) throw Error(fmt::format("{}: the declaration does not end within {} bytes", path_, kMaxDeclaration));
    return {text, size};
  }

  /// What a kernel throws is not caught: it ends the worker, with the exception's text on standard error.
  BackendResult run(const equinorm_call& call, const BackendOptions&) override {
    BackendResult result;
    char message[1024] = {};
    equinorm_call full = call;
    full.message = message, full.message_bytes = sizeof(message);
    full.workspace_bytes = workspace_bytes(call);
    full.workspace = space_.get(full.workspace_bytes);
    const auto begin = std::chrono::steady_clock::now();
    result.status = run_(&full);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    message[sizeof(message) - 1] = 0;
    result.message = message;
    return result;
  }

 private:
  template <class Function>
  Function* find(const char* symbol, bool needed) {
    void* address = dlsym(library_, symbol);
    if (address == nullptr && needed) throw Error(fmt::format("{}: exports no {}; kernel.h lists what a kernel exports", path_, symbol));
    return reinterpret_cast<Function*>(address);
  }

  std::uint64_t workspace_bytes(const equinorm_call& call) const {
    if (workspace_ == nullptr) return 0;
    // kernel.h promises null pointers here: what a kernel needs may not depend on the data.
    std::vector<equinorm_tensor> tensors(call.inputs, call.inputs + call.input_count);
    tensors.insert(tensors.end(), call.outputs, call.outputs + call.output_count);
    for (equinorm_tensor& tensor : tensors) tensor.data = nullptr;
    equinorm_call asked = call;
    asked.inputs = tensors.data(), asked.outputs = tensors.data() + call.input_count;
    return workspace_(&asked);
  }

  std::string path_;
  void* library_;
  const char* (*describe_)() = nullptr;
  std::int32_t (*run_)(const equinorm_call*) = nullptr;
  std::uint64_t (*workspace_)(const equinorm_call*) = nullptr;
  Workspace space_;
};

}  // namespace

std::unique_ptr<Backend> open_library(const std::string& path) { return std::make_unique<LibraryBackend>(path); }

}  // namespace equinorm::kernels
