#include "kernels/cuda_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <random>

#include "kernels/cuda_bundled.hpp"
#include "kernels/cuda_module.hpp"
#include "kernels/launch_device.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

using namespace cuda;

constexpr std::int64_t kLatent = 512, kRope = 64, kPage = 64;
constexpr int kRepeats = 21, kWarmUp = 3;
constexpr std::size_t kBlock = std::size_t{1} << 22;  // numbers that fill a buffer over and over

std::uint16_t bf16_bits(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  return static_cast<std::uint16_t>((bits + 0x8000) >> 16);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Device memory without guards: these runs are for the clock.
class Memory {
 public:
  explicit Memory(std::size_t bytes) : bytes_(bytes) {
    driver().check(driver().MemAlloc(&address_, bytes), fmt::format("cuMemAlloc of {} bytes", bytes));
  }
  ~Memory() { driver().MemFree(address_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Pointer address() const { return address_; }
  /// `pattern`, repeated.
  void fill(std::span<const std::byte> pattern) const {
    for (std::size_t at = 0; at < bytes_; at += pattern.size())
      driver().check(driver().MemcpyHtoD(address_ + at, pattern.data(), std::min(pattern.size(), bytes_ - at)), "cuMemcpyHtoD");
  }

 private:
  std::size_t bytes_;
  Pointer address_ = 0;
};

/// Stream and events that time what is put on the stream.
class Clock {
 public:
  Clock() {
    driver().check(driver().StreamCreate(&stream_, 0), "cuStreamCreate");
    for (Handle& event : events_) driver().check(driver().EventCreate(&event, 0), "cuEventCreate");
  }
  ~Clock() {
    for (const Handle event : events_) {
      if (event != nullptr) driver().EventDestroy(event);
    }
    driver().StreamDestroy(stream_);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  Handle stream() const { return stream_; }

  /// Median seconds of `work`, which goes on the stream.
  double seconds(const std::function<void()>& work) const {
    std::vector<double> times;
    for (int i = 0; i < kWarmUp + kRepeats; ++i) {
      driver().check(driver().EventRecord(events_[0], stream_), "cuEventRecord");
      work();
      driver().check(driver().EventRecord(events_[1], stream_), "cuEventRecord");
      driver().check(driver().StreamSynchronize(stream_), "a timed run");
      float milliseconds = 0;
      driver().check(driver().EventElapsedTime(&milliseconds, events_[0], events_[1]), "cuEventElapsedTime");
      if (i >= kWarmUp) times.push_back(static_cast<double>(milliseconds) / 1e3);
    }
    return median(times);
  }

 private:
  Handle stream_ = nullptr, events_[2] = {};
};

/// A captured sequence of launches.
class Graph {
 public:
  Graph(Handle stream, const std::function<void()>& launches) {
    Handle graph = nullptr;
    driver().check(driver().StreamBeginCapture(stream, kCaptureThreadLocal), "cuStreamBeginCapture");
    launches();
    driver().check(driver().StreamEndCapture(stream, &graph), "cuStreamEndCapture");
    const Result result = driver().GraphInstantiate(&executable_, graph, 0);
    driver().GraphDestroy(graph);
    driver().check(result, "cuGraphInstantiateWithFlags");
  }
  ~Graph() { driver().GraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(Handle stream) const { driver().check(driver().GraphLaunch(executable_, stream), "cuGraphLaunch"); }

 private:
  Handle executable_ = nullptr;
};

/// The tensors of a decode step, as a call describes them; without memory.
class Description {
 public:
  Description(const DecodeShape& shape, std::int64_t splits)
      : lengths_(static_cast<std::size_t>(shape.batch), static_cast<std::int32_t>(shape.context)) {
    problem_.size = sizeof problem_;
    problem_.batch = shape.batch, problem_.queries = 1, problem_.context = shape.context, problem_.heads = shape.heads,
    problem_.groups = shape.groups;
    problem_.latent = kLatent, problem_.content_dim = problem_.value_dim = 128, problem_.rope_dim = problem_.rotated_dim = kRope,
    problem_.splits = splits;
    problem_.context_lengths = lengths_.data(), problem_.scale = 1 / std::sqrt(192.0), problem_.eps = 1e-6;
    problem_.mask = EQUINORM_MASK_CAUSAL;
    const bool normed = shape.norm != DecodeShape::Norm::none;
    problem_.norm_scheme = normed ? EQUINORM_NORM_BLOCKWISE : EQUINORM_NORM_NONE;
    add("q_tilde", EQUINORM_BF16, {shape.batch, 1, shape.heads, kLatent});
    add("q_rope_hat", EQUINORM_BF16, {shape.batch, 1, shape.heads, kRope});
    add_paged("c", {shape.batch, shape.context, kLatent});
    add_paged("k_rope_cached", {shape.batch, shape.context, kRope});
    if (normed) add("alpha_q", EQUINORM_F32, {shape.batch, 1, shape.heads});
    if (normed)
      add("alpha_k", shape.norm == DecodeShape::Norm::alpha_bf16 ? EQUINORM_BF16 : EQUINORM_F32,
          {shape.batch, shape.context, shape.groups});
    add("context_lengths", EQUINORM_I32, {shape.batch});
    add("u", EQUINORM_BF16, {shape.batch, 1, shape.heads, kLatent});
    add("lse", EQUINORM_F32, {shape.batch, shape.heads, 1});
    call_.size = sizeof call_, call_.problem = &problem_;
    call_.inputs = tensors_.data(), call_.input_count = static_cast<std::int32_t>(tensors_.size());
  }

  const equinorm_call& call() const { return call_; }
  const std::vector<equinorm_tensor>& tensors() const { return tensors_; }
  const std::vector<std::int32_t>& lengths() const { return lengths_; }

 private:
  void add(const char* name, std::int32_t dtype, const std::vector<std::int64_t>& shape) {
    equinorm_tensor tensor{};
    tensor.name = name, tensor.dtype = dtype, tensor.rank = static_cast<std::int32_t>(shape.size());
    std::int64_t stride = 1;
    for (std::size_t axis = shape.size(); axis-- > 0;)
      tensor.shape[axis] = shape[axis], tensor.strides[axis] = stride, stride *= shape[axis];
    tensors_.push_back(tensor);
  }
  void add_paged(const char* name, const std::vector<std::int64_t>& shape) {
    add(name, EQUINORM_BF16, shape);
    equinorm_tensor& tensor = tensors_.back();
    tensor.page_size = kPage, tensor.page_stride = kPage * tensor.strides[1], tensor.blocks_per_row = (shape[1] + kPage - 1) / kPage;
    tensor.pages = shape[0] * tensor.blocks_per_row;
    tensor.block_table = lengths_.data();  // says that it is paged; the table itself is on the device
  }

  std::vector<std::int32_t> lengths_;
  equinorm_problem problem_{};
  equinorm_call call_{};
  std::vector<equinorm_tensor> tensors_;
};

/// Pages dealt out at random.
std::vector<std::int32_t> shuffled_pages(std::int64_t pages, std::uint32_t seed) {
  std::vector<std::int32_t> table(static_cast<std::size_t>(pages));
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::int32_t>(i);
  std::mt19937 random(seed);
  std::shuffle(table.begin(), table.end(), random);
  return table;
}

}  // namespace

double DecodeShape::bytes() const {
  const double alpha = norm == Norm::none ? 0.0 : static_cast<double>(groups) * (norm == Norm::alpha_bf16 ? 2 : 4);
  return static_cast<double>(batch * context) * ((kLatent + kRope) * 2 + alpha);
}

class DecodeBench::Impl {
 public:
  Impl() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> factor(0.5f, 1.0f);
    for (std::size_t i = 0; i < kBlock / 2; ++i) numbers_.push_back(bf16_bits(normal(random)));
    for (std::size_t i = 0; i < kBlock / 4; ++i) factors_.push_back(factor(random));
    for (const float one : factors_) narrow_factors_.push_back(bf16_bits(one));
  }

  std::string device() const { return context_.name(); }

  double copy_bandwidth(std::uint64_t bytes) {
    const Memory from(bytes), to(bytes);
    from.fill(std::as_bytes(std::span(numbers_)));
    const double seconds = clock_.seconds(
        [&] { driver().check(driver().MemcpyDtoDAsync(to.address(), from.address(), bytes, clock_.stream()), "cuMemcpyDtoDAsync"); });
    return 2 * static_cast<double>(bytes) / seconds;
  }

  double decode_seconds(const DecodeShape& shape) {
    const bool narrow = shape.norm == DecodeShape::Norm::alpha_bf16;
    const CudaManifest manifest = load_manifest(bundled_cuda("absorbed_mma", narrow ? "absorbed_mma.bf16_alpha" : "absorbed_mma.bf16"));
    const std::unique_ptr<Code> code = load_code(manifest, context_);
    const std::int64_t splits =
        std::max<std::int64_t>(1, context_.attribute(kAttributeMultiprocessors) / (shape.batch * (shape.heads / 16)));
    const Description description(shape, splits);
    const LaunchPlan plan = plan_launches(manifest, description.call(), {});
    const auto sets = static_cast<int>(std::clamp(std::ceil(4.0 * context_.attribute(kAttributeL2Bytes) / shape.bytes()) + 1, 2.0, 64.0));
    std::deque<Memory> memory;
    std::vector<Addresses> addresses;
    for (int set = 0; set < sets; ++set) addresses.push_back(place(description, plan.workspace, memory, static_cast<std::uint32_t>(set)));
    const Graph graph(clock_.stream(), [&] {
      for (const Addresses& one : addresses) launch(*code, plan, one);
    });
    return clock_.seconds([&] { graph.launch(clock_.stream()); }) / sets;
  }

 private:
  Addresses place(const Description& description, std::uint64_t workspace, std::deque<Memory>& memory, std::uint32_t seed) const {
    Addresses addresses;
    for (const equinorm_tensor& tensor : description.tensors()) {
      const std::string name = tensor.name;
      addresses.data[name] = memory.emplace_back(byte_extent(tensor)).address();
      if (name == "context_lengths") {
        memory.back().fill(std::as_bytes(std::span(description.lengths())));
      } else if (name.starts_with("alpha") && tensor.dtype == EQUINORM_F32) {
        memory.back().fill(std::as_bytes(std::span(factors_)));
      } else {
        memory.back().fill(std::as_bytes(std::span(name == "alpha_k" ? narrow_factors_ : numbers_)));
      }
      if (tensor.block_table == nullptr) continue;
      const std::vector<std::int32_t> table = shuffled_pages(tensor.pages, seed);
      addresses.tables[name] = memory.emplace_back(4 * table.size()).address();
      memory.back().fill(std::as_bytes(std::span(table)));
    }
    addresses.workspace = memory.emplace_back(std::max<std::uint64_t>(workspace, 1)).address();
    return addresses;
  }

  void launch(const Code& code, const LaunchPlan& plan, const Addresses& addresses) const {
    for (const PlannedLaunch& one : plan.launches) {
      std::vector<DeviceArgument> arguments;
      std::vector<void*> pointers;
      for (const PlannedArgument& argument : one.arguments) arguments.push_back(resolve(argument, addresses));
      for (DeviceArgument& argument : arguments) pointers.push_back(argument.bytes.data());
      driver().check(driver().LaunchKernel(code.function(one.entry, one.shared), one.grid[0], one.grid[1], one.grid[2], one.block[0],
                                           one.block[1], one.block[2], one.shared, clock_.stream(), pointers.data(), nullptr),
                     "cuLaunchKernel of " + one.entry);
    }
  }

  Context context_;
  Clock clock_;
  std::vector<std::uint16_t> numbers_, narrow_factors_;
  std::vector<float> factors_;
};

DecodeBench::DecodeBench() : impl_(std::make_unique<Impl>()) {}
DecodeBench::~DecodeBench() = default;
std::string DecodeBench::device() const { return impl_->device(); }
double DecodeBench::copy_bandwidth(std::uint64_t bytes) { return impl_->copy_bandwidth(bytes); }
double DecodeBench::decode_seconds(const DecodeShape& shape) { return impl_->decode_seconds(shape); }

}  // namespace equinorm::kernels
