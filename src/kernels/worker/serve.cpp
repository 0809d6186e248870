#include "kernels/worker/serve.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "kernels/descriptor.hpp"
#include "kernels/wire.hpp"
#include "kernels/worker/mapping.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

/// The judge is gone, or the kernel has closed our channel: there is nobody to work for.
constexpr int kNobodyListens = 4;

std::unique_ptr<Backend> open_backend(const std::string& kind, const std::string& path) {
  if (kind == "library") return open_library(path);
  if (kind == "virtual") return open_virtual(path);
  if (kind == "cuda") return open_cuda(path);
  throw Error(fmt::format("no backend '{}'", kind));
}

template <std::size_t N>
void put(char (&target)[N], const std::string& text) {
  const std::size_t size = std::min(text.size(), N - 1);
  std::memcpy(target, text.data(), size);
  target[size] = 0;
}

template <class Message>
void send_or_leave(const Message& message) {
  if (send(kWorkerDescriptor, &message, sizeof(message), MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof(message))) _exit(kNobodyListens);
}

/// What came along with a request.
struct Arenas {
  Descriptor inputs, outputs;
};

/// The next request, with its descriptors where there are some. False when the judge has hung up.
bool receive(WireRequest& request, Arenas& arenas) {
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
  iovec part{&request, sizeof(request)};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof(control);
  ssize_t size = 0;
  do size = recvmsg(kWorkerDescriptor, &message, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof(request)) || request.magic != kWireMagic) return false;
  for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(header))) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int numbers[2] = {-1, -1};
    std::memcpy(numbers, CMSG_DATA(header), sizeof(numbers));
    arenas = {Descriptor(numbers[0]), Descriptor(numbers[1])};
  }
  return true;
}

class Server {
 public:
  Server(const std::string& kind, const std::string& path) : kind_(kind), path_(path) {}

  void answer(const WireRequest& request, Arenas arenas) {
    WireReply reply{.kind = request.kind, .sequence = request.sequence};
    try {
      if (request.kind == WireKind::describe) return describe(request);
      if (arenas.inputs.is_open()) mapping_.map(request, arenas.inputs.get(), arenas.outputs.get());
      // The kernel gets the mapping, not the files.
      arenas = {};
      mapping_.watch_inputs(request);
      run(request, reply);
    } catch (const Error& error) {
      reply.status = kRefused;
      put(reply.message, error.what());
    }
    send_or_leave(reply);
  }

 private:
  void describe(const WireRequest& request) {
    if (backend_ == nullptr) backend_ = open_backend(kind_, path_);
    const std::string declaration = backend_->describe();
    WireText text{.sequence = request.sequence, .total = declaration.size()};
    do {
      text.count = std::min<std::uint64_t>(sizeof(text.text), text.total - text.offset);
      std::memcpy(text.text, declaration.data() + text.offset, text.count);
      send_or_leave(text);
      text.offset += text.count;
    } while (text.offset < text.total);
  }

  equinorm_tensor tensor_of(const WireTensor& wire, bool output) const {
    equinorm_tensor tensor{};
    tensor.name = wire.name, tensor.data = mapping_.data(wire.data, output);
    tensor.dtype = wire.dtype, tensor.rank = wire.rank;
    std::copy_n(wire.shape, EQUINORM_MAX_RANK, tensor.shape);
    std::copy_n(wire.strides, EQUINORM_MAX_RANK, tensor.strides);
    tensor.block_table = static_cast<const std::int32_t*>(mapping_.data(wire.table, output));
    tensor.blocks_per_row = wire.blocks_per_row, tensor.page_size = wire.page_size;
    tensor.page_stride = wire.page_stride, tensor.pages = wire.pages;
    return tensor;
  }

  void run(const WireRequest& request, WireReply& reply) {
    std::vector<equinorm_tensor> tensors;
    equinorm_problem problem = request.problem;
    for (int i = 0; i < request.input_count + request.output_count; ++i) {
      tensors.push_back(tensor_of(request.tensors[i], i >= request.input_count));
      if (std::strcmp(request.tensors[i].name, "context_lengths") == 0)
        problem.context_lengths = static_cast<const std::int32_t*>(tensors.back().data);
    }
    equinorm_call call{};
    call.size = sizeof(call), call.problem = &problem;
    call.inputs = tensors.data(), call.outputs = tensors.data() + request.input_count;
    call.input_count = request.input_count, call.output_count = request.output_count;
    call.threads = request.threads;
    BackendOptions options;
    options.shadows = request.shadows != 0, options.threads = request.threads;
    options.schedule = static_cast<Schedule>(request.schedule);
    options.exact = {{"eps", request.eps}, {"scale", request.scale}, {"softcap", request.softcap}, {"scale_log2e", request.scale_log2e}};
    for (int i = 0; i < request.input_count; ++i) {
      const WireTensor& wire = request.tensors[i];
      if (wire.shadow_high.bytes == 0) continue;
      options.exact_inputs[wire.name] = {static_cast<const double*>(mapping_.data(wire.shadow_high, false)),
                                         static_cast<const double*>(mapping_.data(wire.shadow_low, false))};
    }
    read_trace_request(request, options.trace);
    const BackendResult result = backend_->run(call, options);
    reply.status = result.status, reply.seconds = result.seconds;
    put(reply.message, result.message);
    reply.note_count = static_cast<std::int32_t>(std::min<std::size_t>(result.notes.size(), kMaxNotes));
    for (int i = 0; i < reply.note_count; ++i) {
      put(reply.notes[i].text, result.notes[i].text);
      reply.notes[i].fails = result.notes[i].fails ? 1 : 0;
    }
    put_shadows(request, result, reply);
    put_traces(result, reply);
  }

  static void read_trace_request(const WireRequest& request, TraceRequest& trace) {
    trace.rounding_at = request.rounding_at;
    trace.exact_constants = request.exact_constants != 0, trace.origins = request.origins != 0;
    for (int i = 0; i < request.ask_count; ++i)
      trace.asks.push_back({request.tensors[request.input_count + request.asks[i].output].name, request.asks[i].element});
  }

  static void put_traces(const BackendResult& result, WireReply& reply) {
    reply.trace_count = static_cast<std::int32_t>(std::min<std::size_t>(result.traces.size(), kMaxTraces));
    for (int i = 0; i < reply.trace_count; ++i) {
      const Trace& trace = result.traces[static_cast<std::size_t>(i)];
      WireTrace& wire = reply.traces[i];
      wire.kind = static_cast<std::int32_t>(trace.kind), wire.count = trace.count;
      wire.largest_ulp = trace.largest_ulp, wire.sum = trace.sum;
      put(wire.place, trace.place), put(wire.made, trace.made), put(wire.text, trace.text);
    }
  }

  void put_shadows(const WireRequest& request, const BackendResult& result, WireReply& reply) const {
    for (int i = 0; i < request.output_count; ++i) {
      const WireTensor& wire = request.tensors[request.input_count + i];
      reply.shadows_lost[i] = -1;
      for (const BackendResult::Shadow& shadow : result.shadows) {
        if (shadow.tensor != wire.name || wire.shadow_high.data_bytes != shadow.high.size() * sizeof(double) ||
            shadow.low.size() != shadow.high.size())
          continue;
        reply.shadows_lost[i] = shadow.lost;
        std::memcpy(mapping_.data(wire.shadow_high, true), shadow.high.data(), wire.shadow_high.data_bytes);
        std::memcpy(mapping_.data(wire.shadow_low, true), shadow.low.data(), wire.shadow_low.data_bytes);
      }
    }
  }

  std::string kind_, path_;
  std::unique_ptr<Backend> backend_;
  Mapping mapping_;
};

}  // namespace

int serve(const std::string& kind, const std::string& path) {
  fcntl(kWorkerDescriptor, F_SETFD, FD_CLOEXEC);
  const auto server = std::make_unique<Server>(kind, path);
  const auto request = std::make_unique<WireRequest>();
  for (;;) {
    Arenas arenas;
    // The kernel's destructors are no part of what is judged.
    if (!receive(*request, arenas)) _exit(0);
    server->answer(*request, std::move(arenas));
  }
}

}  // namespace equinorm::kernels
