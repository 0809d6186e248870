// A kernel inside the path, judged on a sample: the block says what the whole says of it.
#include <catch2/catch.hpp>

#include "commands/block_outputs.hpp"
#include "commands/check_in_path.hpp"
#include "commands/handed_over.hpp"
#include "commands/reference.hpp"
#include "inputs/load.hpp"
#include "inputs/round.hpp"
#include "kernels/declaration.hpp"

namespace equinorm::commands {
namespace {

using problem::Index;

constexpr const char* kDecode = R"({"equinorm": 1, "name": "decode", "path": "absorbed", "stages": ["score", "softmax", "value"],
  "outputs": {"logits": {}, "u": {"dtype": "bf16"}, "lse": {"dtype": "fp32"}}, "inputs": {"q_tilde": {"dtype": "bf16"}}})";

problem::Problem problem_of(problem::NormScheme scheme, std::vector<Index> context) {
  problem::Problem problem;
  problem.batch = static_cast<Index>(context.size()), problem.context = std::move(context), problem.queries = 2;
  problem.heads = 6, problem.groups = 3, problem.latent = 12, problem.content_dim = 8, problem.rope_dim = 4, problem.value_dim = 5;
  problem.norm.scheme = scheme;
  return problem;
}

struct Given {
  kernels::Declaration declaration = kernels::parse_declaration(kDecode, "decode");
  problem::Problem problem;
  kernels::PassedTensors passed;
  tensor::TensorMap inputs;
  verdict::Reference exact;
  KernelChoices choices;

  explicit Given(problem::Problem own) : problem(kernels::with_declared_precision(declaration, std::move(own))) {
    passed = kernels::passed_tensors(declaration, problem);
    inputs = inputs::round_inputs(problem, inputs::make_inputs(problem), problem.precision.storage, false);
    std::set<std::string> names{"logits", "u", "lse"};
    for (const kernels::Passed& tensor : passed.inputs) {
      if (!tensor.handed_over) continue;
      names.insert(tensor.spec.name);
      choices.given.emplace(tensor.spec.name, tensor::format_of(tensor.dtype));
    }
    exact = certified_reference(problem, inputs, names).tensors;
  }
  InPath on(const inputs::Block& block) const { return in_path(problem, passed, inputs, exact, {"logits", "u", "lse"}, choices, block); }
};

TEST_CASE("the sample is the longest row, with as many heads as the work allows") {
  const problem::Problem problem = problem_of(problem::NormScheme::blockwise, {7, 23, 9});
  CHECK(in_path_block(problem, 1e9)->whole());
  const std::optional<inputs::Block> some = in_path_block(problem, 0.1 * work_of(problem));
  REQUIRE(some);
  CHECK(some->row == 1);
  CHECK((some->heads == 2 && some->first_head == 4));
  CHECK(work_of(inputs::block_problem(problem, *some)) < 0.4 * work_of(problem));
  CHECK(!in_path_block(problem, 1));
  // The heads of a full-width norm are not parted.
  CHECK(!in_path_block(problem_of(problem::NormScheme::full_width, {23}), 1));
}

TEST_CASE("in the sample the kernel gets what it would get in the whole, elsewhere exact tensors, under the same bounds") {
  for (const problem::NormScheme scheme : {problem::NormScheme::blockwise, problem::NormScheme::full_width}) {
    const Given given(problem_of(scheme, {7, 23, 9}));
    const bool joined = scheme == problem::NormScheme::full_width;
    const inputs::Block block{1, joined ? 0 : 2, joined ? 6 : 2};
    const InPath whole = given.on({}), part = given.on(block);
    CHECK(whole.sampled.empty());
    CHECK(part.sampled == (joined ? "row 1 of 3, heads 0 to 5 of 6" : "row 1 of 3, heads 2 to 3 of 6"));
    const tensor::TensorMap exact = kernel_inputs(given.problem, given.passed, given.inputs, given.exact);
    int emulated = 0;
    for (const auto& [name, format] : given.choices.given) {
      const auto inside = [&](const tensor::AnyTensor& tensor) { return take_block(given.problem, block, name, tensor); };
      const tensor::AnyTensor a = inside(part.handed.at(name)), b = inside(whole.handed.at(name));
      REQUIRE(a.shape() == b.shape());
      for (Index i = 0; i < a.size(); ++i) REQUIRE(a.at(i) == b.at(i));
      Index differing = 0, moved = 0;
      for (Index i = 0; i < exact.at(name).size(); ++i) differing += part.handed.at(name).at(i) != exact.at(name).at(i) ? 1 : 0;
      for (Index i = 0; i < a.size(); ++i) moved += a.at(i) != inside(exact.at(name)).at(i) ? 1 : 0;
      CHECK(differing == moved);  // nothing outside the block
      emulated += moved > 0 ? 1 : 0;
    }
    CHECK(emulated > 0);
    for (const char* name : {"logits", "u", "lse"}) {
      const verdict::ReferenceTensor bound = take_block(given.problem, block, name, {whole.bounds.at(name), {}, {}});
      REQUIRE(part.bounds.at(name).shape() == bound.value.shape());
      for (Index i = 0; i < bound.value.size(); ++i) CHECK(part.bounds.at(name)[i] == Approx(bound.value[i]).epsilon(1e-9));
      CHECK(part.exact.at(name).value.shape() == bound.value.shape());
    }
  }
}

}  // namespace
}  // namespace equinorm::commands
