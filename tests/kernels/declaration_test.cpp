// What a kernel may say of itself, and what follows for the tensors that it is given.
#include "kernels/declaration.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "scalar/error.hpp"

using namespace equinorm;
using namespace equinorm::kernels;

namespace {

const std::string kDecode = R"({"equinorm": 1, "name": "decode", "path": "absorbed", "stages": ["score", "softmax", "value"],
  "inputs": {"c": {"dtype": "bf16", "layout": "paged", "page_size": 64}},
  "outputs": {"u": {"dtype": "bf16"}, "lse": {"dtype": "fp32"}}, "precision": {"storage": "bf16", "q_tilde": "bf16"}, "lse_base": "2",
  "claims": ["bit-reproducible"], "requires": {"norm.scheme": ["blockwise", "none"], "queries": {"max": 2}, "latent": {"multiple_of": 64}}})";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string message_of(const std::string& text) {
  try {
    parse_declaration(text, "k.so");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<std::string> names(const std::vector<Passed>& tensors) {
  std::vector<std::string> found;
  for (const Passed& tensor : tensors) found.push_back(tensor.spec.name);
  return found;
}

const Passed& find(const std::vector<Passed>& tensors, const std::string& name) {
  return *std::find_if(tensors.begin(), tensors.end(), [&](const Passed& tensor) { return tensor.spec.name == name; });
}

}  // namespace

TEST_CASE("a decode kernel's declaration, and what it is passed") {
  const Declaration decode = parse_declaration(kDecode, "k.so");
  CHECK(decode.lse_base_two);
  CHECK(decode.bit_reproducible);
  CHECK_FALSE(decode.batch_invariant);
  const problem::Problem problem = with_declared_precision(decode, {});
  CHECK(unsupported(decode, problem).empty());
  const PassedTensors passed = passed_tensors(decode, problem);
  CHECK(names(passed.inputs) ==
        std::vector<std::string>{"c", "alpha_k", "k_rope_cached", "alpha_q", "q_tilde", "q_rope_hat", "context_lengths"});
  CHECK(names(passed.outputs) == std::vector<std::string>{"lse", "u"});
  CHECK(find(passed.inputs, "c").layout == LayoutKind::paged);
  CHECK(find(passed.inputs, "q_tilde").dtype == tensor::DType::bf16);
  CHECK(find(passed.inputs, "alpha_k").dtype == tensor::DType::f32);
  CHECK(find(passed.inputs, "alpha_k").handed_over);
  // A narrower output is a declared rounding.
  CHECK(problem.precision.of(problem::Stored::u) == scalar::kBf16);
}

TEST_CASE("every run of stages of every form passes what it reads") {
  for (const PathKind form : {PathKind::absorbed_form, PathKind::explicit_form}) {
    problem::Problem problem;
    problem.model_dim = 64;
    problem.output_gate = true;
    for (int first = 1; first < 7; ++first) {
      for (int last = first; last < 7; ++last) {
        const StageTensors tensors = tensors_of(problem, form, {static_cast<Stage>(first), static_cast<Stage>(last)});
        CAPTURE(first, last);
        CHECK_FALSE(tensors.outputs.empty());
        CHECK_FALSE((tensors.inputs.empty() && tensors.handed_over.empty()));
      }
    }
  }
  problem::Problem from_x;
  from_x.start = problem::Start::x, from_x.model_dim = 64;
  CHECK_THROWS_AS(tensors_of(from_x, PathKind::absorbed_form, {Stage::query, Stage::query}), Error);
  CHECK_NOTHROW(tensors_of(from_x, PathKind::absorbed_form, {Stage::project, Stage::output}));
  CHECK_THROWS_AS(tensors_of(problem::Problem{}, PathKind::absorbed_form, {Stage::project, Stage::output}), Error);
}

TEST_CASE("what a kernel cannot serve is named") {
  const Declaration decode = parse_declaration(kDecode, "k.so");
  problem::Problem problem;
  problem.queries = 3;
  CHECK(unsupported(decode, problem) == "needs queries <= 2; this is 3");
  problem.queries = 1, problem.latent = 96;
  CHECK(unsupported(decode, problem) == "needs latent a multiple of 64; this is 96");
  problem.norm.scheme = problem::NormScheme::unified;
  CHECK(unsupported(decode, problem) == "needs norm.scheme blockwise or none; this is unified");
}

TEST_CASE("bad declarations name the field, the value and what is allowed") {
  CHECK(message_of(kDecode).empty());
  CHECK(message_of(with(kDecode, "\"equinorm\": 1", "\"equinorm\": 2")).find("equinorm is 2; allowed: 1") != std::string::npos);
  CHECK(message_of(with(kDecode, "[\"score\", ", "[\"softmax\", ")).find("does not follow") != std::string::npos);
  CHECK(message_of(with(kDecode, "\"c\"", "\"cc\"")).find("inputs.cc") != std::string::npos);
  CHECK(message_of(with(kDecode, "\"u\"", "\"y\"")).find("outputs.y") != std::string::npos);
  CHECK(message_of(with(kDecode, "\"lse_base\"", "\"lse_bass\"")).find("lse_bass") != std::string::npos);
  CHECK(message_of(with(kDecode, "bit-repro", "bit-repo")).find("claims holds") != std::string::npos);
  CHECK(message_of(with(kDecode, ", \"page_size\": 64", "")).find("page_size") != std::string::npos);
  CHECK(message_of(with(kDecode, "\"latent\"", "\"latnt\"")).find("requires.latnt is no key of a problem file; did you mean") !=
        std::string::npos);
  for (const char* key : {"head_dim", "context", "rope.scaling.mscale", "rope.part", "mask.window", "precision.u", "inputs.path"}) {
    CHECK(message_of(with(kDecode, "\"latent\"", "\"" + std::string(key) + "\"")).empty());
  }
  CHECK(message_of("[]").find("allowed: an object") != std::string::npos);
  // A dtype that cannot hold the problem's numbers.
  const Declaration narrow = parse_declaration(with(kDecode, "\"dtype\": \"bf16\", \"layout\"", "\"dtype\": \"fp16\", \"layout\""), "k.so");
  CHECK_THROWS_AS(passed_tensors(narrow, with_declared_precision(narrow, {})), Error);
}
