#include "kernels/worker_link.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

/// What a worker holds before it has opened any kernel, generously.
constexpr std::uint64_t kOwnMemory = std::uint64_t{64} << 20;

/// More are a fork bomb; threads do not count.
constexpr int kProcesses = 64;

WaitLimits wait_limits(double seconds, std::uint64_t memory) {
  const double bounded = seconds < 1e8 ? seconds : 1e8;
  return {.deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(bounded)),
          .memory = memory,
          .processes = kProcesses};
}

/// Reads a message of exactly this type; false for anything else.
template <class Message>
bool receive(int channel, Message& message) {
  const ssize_t size = recv(channel, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
  return size == static_cast<ssize_t>(sizeof(message)) && message.magic == kWireMagic;
}

Exchange broken() { return {RunStatus::protocol, "sent what no worker sends"}; }

}  // namespace

std::string printable(const std::string& text, std::size_t longest) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= longest) return out + "...";
    const bool visible = c > 0x1f && c < 0x7f;
    if (visible || (!out.empty() && out.back() != ' ')) out.push_back(visible ? c : c == '\n' || c == '\t' || c == '\r' ? ' ' : '?');
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

WorkerLink::WorkerLink(const std::string& kind, const std::string& path) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw Error(fmt::format("socketpair: {}", std::strerror(errno)));
  channel_ = Descriptor(ends[0]);
  const Descriptor theirs(ends[1]);
  SpawnOptions options;
  const std::string program = worker_program();
  options.arguments = {program, "serve", kind, path};
  options.descriptors = {{kWorkerDescriptor, theirs.get()}};
  options.must_read = {program, path};
  // Threads of a kernel and of a driver, not much more: a bomb that is as large as this already keeps a machine busy.
  options.processes = 64 + 4 * static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  child_ = std::make_unique<ChildProcess>(options);
}

std::string WorkerLink::last_words() {
  const std::string words = printable(child_->output().substr(0, 2000));
  return words.empty() ? "" : "; it wrote: " + words;
}

Exchange WorkerLink::send(WireRequest& request, const std::vector<int>& arenas) {
  request.sequence = ++sequence_;
  iovec part{&request, sizeof(request)};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
  if (arenas.size() == 2) {
    message.msg_control = control, message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    std::memcpy(CMSG_DATA(header), arenas.data(), 2 * sizeof(int));
  }
  // Never blocks: the worker reads a request before it answers, and there is one at a time.
  const ssize_t sent = sendmsg(channel_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(sizeof(request))) return {};
  child_->kill();
  return {RunStatus::crashed, fmt::format("the worker had closed its channel before this run{}", last_words())};
}

Exchange WorkerLink::await(const WaitLimits& limits, double seconds) {
  const WaitEvent event = child_->wait(channel_.get(), POLLIN, limits);
  if (event == WaitEvent::ready) return {};
  const ProcessUsage used = event == WaitEvent::memory || event == WaitEvent::processes ? child_->usage() : ProcessUsage{};
  child_->kill();
  switch (event) {
    case WaitEvent::deadline:
      return {RunStatus::timed_out, fmt::format("no answer within {} s: killed{}", seconds, last_words())};
    case WaitEvent::memory:
      return {RunStatus::out_of_memory, fmt::format("held {} MiB, {} are allowed with its tensors: killed{}", used.resident >> 20,
                                                    limits.memory >> 20, last_words())};
    case WaitEvent::processes:
      return {RunStatus::crashed, fmt::format("started more than {} processes: killed{}", limits.processes, last_words())};
    default:
      return {RunStatus::crashed, fmt::format("{} before an answer{}", child_->end()->description(), last_words())};
  }
}

std::string WorkerLink::describe(const Limits& limits) {
  const auto request = std::make_unique<WireRequest>();
  const WaitLimits until = wait_limits(limits.seconds, limits.memory + kOwnMemory);
  Exchange exchange = send(*request, {});
  const auto text = std::make_unique<WireText>();
  const auto refusal = std::make_unique<WireReply>();
  std::string declaration;
  do {
    if (exchange.status == RunStatus::ok) exchange = await(until, limits.seconds);
    if (exchange.status != RunStatus::ok) throw Error(fmt::format("while the kernel was opened: {}", exchange.detail));
    char first[1];
    const ssize_t size = recv(channel_.get(), first, sizeof(first), MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
    if (size == static_cast<ssize_t>(sizeof(WireReply))) {
      if (!receive(channel_.get(), *refusal) || refusal->sequence != request->sequence) break;
      refusal->message[sizeof(refusal->message) - 1] = 0;
      throw Error(printable(refusal->message, sizeof(refusal->message)));
    }
    if (!receive(channel_.get(), *text) || text->sequence != request->sequence || text->total > kMaxDeclaration ||
        text->offset != declaration.size() || text->count > sizeof(text->text) || text->count > text->total - text->offset ||
        (text->count == 0 && text->total != 0))
      break;
    declaration.append(text->text, text->count);
    if (declaration.size() == text->total) return declaration;
  } while (true);
  child_->kill();
  throw Error(fmt::format("while the kernel was opened: {}", broken().detail));
}

Exchange WorkerLink::run(WireRequest& request, const std::vector<int>& arenas, const Limits& limits, std::uint64_t memory,
                         WireReply& reply) {
  request.kind = WireKind::run;
  Exchange exchange = send(request, arenas);
  if (exchange.status == RunStatus::ok) exchange = await(wait_limits(limits.seconds, memory + kOwnMemory), limits.seconds);
  if (exchange.status != RunStatus::ok) return exchange;
  if (receive(channel_.get(), reply) && reply.kind == WireKind::run && reply.sequence == request.sequence && reply.note_count >= 0 &&
      reply.note_count <= kMaxNotes && reply.trace_count >= 0 && reply.trace_count <= kMaxTraces) {
    reply.message[sizeof(reply.message) - 1] = 0;
    for (WireNote& note : reply.notes) note.text[sizeof(note.text) - 1] = 0;
    for (WireTrace& trace : reply.traces) {
      for (char* end : {std::end(trace.place), std::end(trace.made), std::end(trace.text)}) end[-1] = 0;
    }
    return {};
  }
  child_->kill();
  exchange = broken();
  exchange.detail += last_words();
  return exchange;
}

}  // namespace equinorm::kernels
