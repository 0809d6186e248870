// The judge's side of one call: every tensor laid out in the shared arena, and what the kernel left there.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernels/arena.hpp"
#include "kernels/layout.hpp"
#include "kernels/runner.hpp"
#include "kernels/wire.hpp"

namespace equinorm::kernels {

class CallMemory {
 public:
  /// Lays the inputs out, poisons outputs and fences, and fills the tensors of `wire`. Throws Error where an input is missing or of another
  /// shape or dtype.
  void prepare(const PassedTensors& passed, const Request& request, WireRequest& wire);

  /// Of the inputs' arena and the outputs'.
  std::vector<int> descriptors() const { return {inputs_->descriptor(), outputs_->descriptor()}; }
  /// Memory that the tensors of the last call take.
  std::uint64_t bytes() const { return resident_; }

  /// Outputs (views of storage that is used again once nobody holds them), and whether the kernel kept to its memory: status ok,
  /// wrote_out_of_bounds, changed_input or unwritten.
  void inspect(const Request& request, Outcome& outcome);

  /// What a reply of status kWroteInput says: changed_input, wrote_out_of_bounds, or protocol where it makes no sense.
  static void put_trace(const PassedTensors& passed, const TraceRequest& trace, WireRequest& wire);
  void explain_fault(const WireReply& reply, Outcome& outcome) const;

  /// Reads the shadows of outputs whose count of lost values is not negative.
  void read_shadows(const WireReply& reply, Outcome& outcome);

 private:
  struct Buffer {
    std::string name;
    Layout layout;
    Region data{}, table{}, shadow_high{}, shadow_low{};
    bool output = false;
    tensor::AnyTensor held{};  ///< the input that lies there, where its bytes are promised to stay
    /// What the last output was copied to: used again once nobody else holds it, since fresh memory costs more than the copy.
    std::shared_ptr<std::byte> taken{};
  };

  /// What the buffers' places depend on.
  struct Plan {
    std::vector<Passed> inputs, outputs;
    std::vector<Index> context;
    std::uint64_t seed = 0;
    Index pool_elements = 0;
    bool shadows = false;
    std::set<std::string> exact;

    friend bool operator==(const Plan&, const Plan&) = default;
  };

  void plan(const PassedTensors& passed, const Request& request);
  void reuse_or_replace(std::vector<Buffer> buffers, std::uint64_t input_bytes, std::uint64_t output_bytes);
  Arena& arena_of(const Buffer& buffer) const { return buffer.output ? *outputs_ : *inputs_; }
  void fill(Buffer& buffer, const Request& request);
  void fill_input(Buffer& buffer, const Request& request);
  tensor::AnyTensor take(Buffer& buffer, Index& unwritten);
  void describe(const Buffer& buffer, WireTensor& wire) const;
  std::optional<std::string> out_of_bounds(const Buffer& buffer) const;
  std::optional<std::string> changed(const Buffer& buffer, const tensor::AnyTensor& input) const;

  /// The worker cannot write the inputs' arena, where the system knows such a thing; else they are compared after each run.
  std::unique_ptr<Arena> inputs_, outputs_;
  std::optional<Poison> poison_, unwritten_;  ///< of what may not be touched, of outputs
  std::uint64_t poison_seed_ = 0, generation_ = 0, resident_ = 0;
  std::optional<Plan> plan_;
  std::vector<Buffer> buffers_;
  bool intact_ = false;  ///< fences, gaps and tables are as prepare() left them, by inspect()
};

}  // namespace equinorm::kernels
