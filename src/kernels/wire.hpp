// What judge and worker say to each other: one SOCK_SEQPACKET message each, of fixed size. The judge checks size, magic number, kind and
// sequence number of whatever comes back, and takes nothing else on trust.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/arena.hpp"
#include "kernels/backend.hpp"
#include "kernels/kernel.h"

namespace equinorm::kernels {

/// The worker's end of the channel.
inline constexpr int kWorkerDescriptor = 3;
inline constexpr int kMaxTensors = 48;
inline constexpr int kMaxNotes = 32;
inline constexpr int kMaxTraces = 96;
inline constexpr std::uint32_t kWireMagic = 0x65716e77;
/// Longest declaration, in bytes.
inline constexpr std::uint64_t kMaxDeclaration = std::uint64_t{1} << 20;
/// WireReply::status beside equinorm_status. The backend refused (Error), `message` says why.
inline constexpr std::int32_t kRefused = -1;
/// The kernel wrote to the inputs' memory, which it can only read: `fault_tensor` and so on say where.
inline constexpr std::int32_t kWroteInput = -2;

enum class WireKind : std::uint32_t { describe = 1, run = 2 };

struct WireTensor {
  char name[48];
  std::int32_t dtype, rank;
  std::int64_t shape[EQUINORM_MAX_RANK], strides[EQUINORM_MAX_RANK];
  std::int64_t blocks_per_row, page_size, page_stride, pages;
  Region data, table, shadow_high, shadow_low;  ///< bytes 0: there is none
};

struct WireAsk {
  std::int32_t output;  ///< number among the outputs
  std::int64_t element;
};

/// Judge to worker. `describe` uses the head alone. With a run whose `generation` is new come two descriptors (SCM_RIGHTS): the arena of
/// the inputs, then that of the outputs. Regions of inputs lie in the former, those of outputs in the latter.
struct WireRequest {
  std::uint32_t magic = kWireMagic;
  WireKind kind = WireKind::describe;
  std::uint64_t sequence = 0;
  std::uint64_t generation = 0;  ///< another one: other regions
  equinorm_problem problem{};    ///< context_lengths: the input of that name
  ExactScalar eps, scale, softcap, scale_log2e;
  std::int32_t input_count = 0, output_count = 0, threads = 1, shadows = 0;
  std::int32_t exact_constants = 1, origins = 0, ask_count = 0, schedule = 0;
  WireAsk asks[kMaxAsks]{};
  char rounding_at[320]{};
  WireTensor tensors[kMaxTensors]{};  ///< inputs, then outputs
};

struct WireNote {
  char text[480];
  std::int32_t fails;
};

struct WireTrace {
  std::int32_t kind;  ///< Trace::Kind
  std::int64_t count;
  double largest_ulp, sum;
  char place[320], made[320], text[320];
};

/// Worker to judge, the answer to a run, or to a describe that was refused.
struct WireReply {
  std::uint32_t magic = kWireMagic;
  WireKind kind = WireKind::run;
  std::uint64_t sequence = 0;
  std::int32_t status = EQUINORM_FAILED;
  std::int32_t note_count = 0, trace_count = 0;
  double seconds = 0;
  std::int32_t fault_tensor = -1, fault_in_table = 0;
  std::int64_t fault_offset = 0;             ///< bytes from the start of the tensor's data, or of its block table
  std::int64_t shadows_lost[kMaxTensors]{};  ///< by output; -1: it has none
  char message[1024]{};
  WireNote notes[kMaxNotes]{};
  WireTrace traces[kMaxTraces]{};
};

/// Worker to judge, one piece of the declaration after the other.
struct WireText {
  std::uint32_t magic = kWireMagic;
  WireKind kind = WireKind::describe;
  std::uint64_t sequence = 0;
  std::uint64_t total = 0, offset = 0, count = 0;
  char text[16384]{};
};

static_assert(std::is_trivially_copyable_v<WireRequest> && std::is_trivially_copyable_v<WireReply> &&
              std::is_trivially_copyable_v<WireText>);
static_assert(sizeof(WireReply) != sizeof(WireText), "their size tells them apart");

}  // namespace equinorm::kernels
