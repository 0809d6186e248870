#include "kernels/worker/mapping.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

constexpr std::uint64_t kGuard = std::uint64_t{1} << 20;

/// Calls body(region, is it an output's, tensor, is it a block table).
template <class Body>
void for_each_region(const WireRequest& request, Body body) {
  for (int i = 0; i < request.input_count + request.output_count; ++i) {
    const WireTensor& tensor = request.tensors[i];
    for (const Region* region : {&tensor.data, &tensor.table, &tensor.shadow_high, &tensor.shadow_low}) {
      if (region->bytes > 0) body(*region, i >= request.input_count, i, region == &tensor.table);
    }
  }
}

[[noreturn]] void fail() { throw Error(fmt::format("the tensors' memory cannot be mapped: {}", std::strerror(errno))); }

/// Where inputs lie, for the handler of SIGSEGV, which may touch nothing but this.
struct Watched {
  const std::byte *begin, *end, *data;
  std::int32_t tensor, in_table;
};
Watched watched[2 * kMaxTensors];
int watched_count = 0;
std::uint64_t watched_sequence = 0;

void on_fault(int number, siginfo_t* info, void*) {
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  // A signal that somebody sent has no address.
  for (int i = 0; info->si_code > 0 && i < watched_count; ++i) {
    const Watched& region = watched[i];
    if (address < region.begin || address >= region.end) continue;
    static WireReply reply;
    reply.sequence = watched_sequence;
    reply.status = kWroteInput;
    reply.fault_tensor = region.tensor, reply.fault_in_table = region.in_table, reply.fault_offset = address - region.data;
    send(kWorkerDescriptor, &reply, sizeof(reply), MSG_NOSIGNAL);
    _exit(0);
  }
  // Nothing of ours: the process ends as it would have without us, once this handler is left (until then the signal is blocked). The same
  // access would fault again; a signal that was sent would not come back by itself.
  signal(number, SIG_DFL);
  raise(number);
}

}  // namespace

Mapping::~Mapping() { clear(); }

void Mapping::clear() {
  watched_count = 0;
  if (base_ != nullptr) munmap(base_, size_);
  base_ = nullptr;
  inputs_.clear(), outputs_.clear();
}

void Mapping::map(const WireRequest& request, int inputs, int outputs) {
  clear();
  size_ = kGuard;
  for_each_region(request, [&](const Region& region, bool, int, bool) { size_ += region.bytes + kGuard; });
  void* reserved = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) fail();
  base_ = static_cast<std::byte*>(reserved);
  std::byte* next = base_ + kGuard;
  for_each_region(request, [&](const Region& region, bool output, int, bool) {
    const int access = output ? PROT_READ | PROT_WRITE : PROT_READ;
    if (mmap(next, region.bytes, access, MAP_SHARED | MAP_FIXED, output ? outputs : inputs, static_cast<off_t>(region.begin)) == MAP_FAILED)
      fail();
    (output ? outputs_ : inputs_)[region.begin] = next;
    next += region.bytes + kGuard;
  });
}

void* Mapping::data(const Region& region, bool output) const {
  if (region.bytes == 0) return nullptr;
  return (output ? outputs_ : inputs_).at(region.begin) + (region.data - region.begin);
}

void Mapping::watch_inputs(const WireRequest& request) const {
  watched_count = 0;
  for_each_region(request, [&](const Region& region, bool output, int tensor, bool in_table) {
    if (output) return;
    const std::byte* begin = inputs_.at(region.begin);
    watched[watched_count++] = {begin, begin + region.bytes, begin + (region.data - region.begin), tensor, in_table ? 1 : 0};
  });
  watched_sequence = request.sequence;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace equinorm::kernels
