#include "bundled/library.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "bundled/layout.hpp"
#include "kernels/abi_problem.hpp"
#include "paths/scale_value.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels::testing {
namespace {

equinorm_problem c_problem(const Problem& problem, const RunSetting& setting, const std::vector<std::int32_t>& lengths) {
  equinorm_problem p{};
  p.size = sizeof p;
  p.batch = problem.batch, p.queries = problem.queries, p.context = problem.max_context();
  p.heads = problem.heads, p.groups = problem.groups, p.latent = problem.latent;
  p.content_dim = problem.content_dim, p.rope_dim = problem.rope_dim, p.head_dim = problem.head_dim, p.value_dim = problem.value_dim;
  p.model_dim = problem.model_dim, p.query_latent = problem.query_latent, p.rotated_dim = problem.rotated_dim();
  p.window = problem.mask.window, p.splits = setting.splits, p.tile = setting.tile;
  p.context_lengths = lengths.data();
  p.eps = problem.norm.eps.to_double();
  p.scale = scalar::to_double(paths::scale_value(problem::softmax_scale(problem), 120));
  p.softcap = problem.softcap.to_double();
  // The other enumerations of both sides are in the same order.
  p.norm_scheme = abi_problem(problem, setting.splits, setting.tile).norm_scheme;
  p.attention = static_cast<std::int32_t>(problem.attention);
  p.norm_kind = static_cast<std::int32_t>(problem.norm.kind);
  p.norm_weight = static_cast<std::int32_t>(problem.norm.weight), p.latent_norm = problem.norm.latent_norm ? 1 : 0;
  p.rope_layout = static_cast<std::int32_t>(problem.rope.layout);
  p.rope_last = problem.rope.part == problem::RopePart::last ? 1 : 0;
  p.mask = static_cast<std::int32_t>(problem.mask.kind);
  p.sink = problem.sink ? 1 : 0, p.output_gate = problem.output_gate ? 1 : 0;
  return p;
}

/// The values of an input: those given, or default positions, or the lengths.
tensor::AnyTensor values_of(const Passed& passed, const Problem& problem, const tensor::TensorMap& inputs) {
  const auto found = inputs.find(passed.spec.name);
  if (found != inputs.end()) return found->second;
  if (passed.spec.role != problem::Role::positions) throw Error("the test lacks the input " + passed.spec.name);
  const bool lengths = passed.spec.name == "context_lengths", queries = passed.spec.name == "positions_q";
  tensor::AnyTensor values(tensor::DType::i64, passed.spec.shape);
  auto* out = reinterpret_cast<std::int64_t*>(values.mutable_bytes());
  for (Index i = 0; i < values.size(); ++i) {
    if (lengths)
      out[i] = problem.context_of(i);
    else if (queries)
      out[i] = problem.query_position(i / problem.queries, i % problem.queries);
    else
      out[i] = i % problem.max_context();
  }
  return values;
}

}  // namespace

Library::Library(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) throw Error(dlerror());
  describe_ = reinterpret_cast<decltype(describe_)>(dlsym(handle_, "equinorm_kernel_describe"));
  workspace_ = reinterpret_cast<decltype(workspace_)>(dlsym(handle_, "equinorm_kernel_workspace"));
  run_ = reinterpret_cast<decltype(run_)>(dlsym(handle_, "equinorm_kernel_run"));
  if (describe_ == nullptr || workspace_ == nullptr || run_ == nullptr) throw Error(path + " does not export kernel.h");
  declaration_ = parse_declaration(describe_(), path);
}

Library::~Library() { dlclose(handle_); }

RunResult Library::run(const Problem& problem, const tensor::TensorMap& inputs, const RunSetting& setting) const {
  RunResult result = run_once(problem, inputs, setting);
  const auto unwritten = [](const std::string& failure) { return failure.ends_with("unwritten"); };
  if (std::none_of(result.failures.begin(), result.failures.end(), unwritten)) return result;
  RunSetting other = setting;
  other.poison = static_cast<unsigned char>(~setting.poison);
  return run_once(problem, inputs, other);
}

RunResult Library::run_once(const Problem& problem, const tensor::TensorMap& inputs, const RunSetting& setting) const {
  reference::Dice dice(setting.seed);
  const auto table = inputs.find("rope_cos");
  const PassedTensors passed = passed_tensors(declaration_, problem, table == inputs.end() ? 0 : table->second.shape()[0]);
  std::vector<Placed> placed_inputs, placed_outputs;
  std::vector<equinorm_tensor> c_inputs, c_outputs;
  for (const Passed& one : passed.inputs) {
    placed_inputs.emplace_back(one, problem, setting, dice);
    placed_inputs.back().fill(values_of(one, problem, inputs));
    c_inputs.push_back(placed_inputs.back().description());
    c_inputs.back().name = one.spec.name.c_str();
  }
  for (const Passed& one : passed.outputs) {
    placed_outputs.emplace_back(one, problem, setting, dice);
    c_outputs.push_back(placed_outputs.back().description());
    c_outputs.back().name = one.spec.name.c_str();
  }
  std::vector<std::vector<std::byte>> before;
  for (const Placed& one : placed_inputs) before.push_back(one.bytes());
  std::vector<std::int32_t> lengths;
  for (Index b = 0; b < problem.batch; ++b) lengths.push_back(static_cast<std::int32_t>(problem.context_of(b)));
  const equinorm_problem c = c_problem(problem, setting, lengths);
  std::array<char, 256> message{};
  equinorm_call call{};
  call.size = sizeof call, call.problem = &c;
  call.inputs = c_inputs.data(), call.input_count = static_cast<std::int32_t>(c_inputs.size());
  call.outputs = c_outputs.data(), call.output_count = static_cast<std::int32_t>(c_outputs.size());
  call.threads = setting.threads, call.message = message.data(), call.message_bytes = message.size();
  std::vector<std::byte> workspace(workspace_(&call) + 256, std::byte{0xff});
  void* aligned = workspace.data();
  std::size_t room = workspace.size();
  call.workspace = std::align(256, workspace.size() - 256, aligned, room), call.workspace_bytes = workspace.size() - 256;
  RunResult result;
  const auto start = std::chrono::steady_clock::now();
  result.status = run_(&call);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.message = message.data();
  for (std::size_t i = 0; i < placed_inputs.size(); ++i) {
    if (placed_inputs[i].bytes() != before[i]) result.failures.push_back("changed input " + passed.inputs[i].spec.name);
  }
  for (std::size_t i = 0; i < placed_outputs.size(); ++i) {
    if (const std::string flaw = placed_outputs[i].flaws(); !flaw.empty()) result.failures.push_back(flaw);
    result.outputs.emplace(passed.outputs[i].spec.name, placed_outputs[i].read());
  }
  return result;
}

}  // namespace equinorm::kernels::testing
