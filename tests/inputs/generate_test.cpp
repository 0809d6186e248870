#include "inputs/generate.hpp"

#include <oneapi/tbb/global_control.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "inputs/load.hpp"
#include "inputs/support.hpp"
#include "problem/names.hpp"
#include "problem/tensors.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::inputs {
namespace {

using problem::Problem;
using tensor::TensorMap;

/// FNV-1a over names, dtypes, shapes and bytes.
std::uint64_t hash_of(const TensorMap& inputs) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](const void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3;
  };
  for (const auto& [name, tensor] : inputs) {
    const std::string head = name + std::string(tensor::to_string(tensor.dtype())) + tensor::to_string(tensor.shape());
    add(head.data(), head.size());
    add(tensor.bytes(), tensor.byte_size());
  }
  return hash;
}

std::vector<Problem> all_problems(const std::string& kind) {
  std::vector<Problem> problems{small_mla(kind), small_gqa(kind), from_x(small_mla(kind)), from_x(small_gqa(kind))};
  problems[2].query_latent = 48;
  Problem wide = small_mla(kind);
  wide.norm.scheme = problem::NormScheme::full_width;
  wide.norm.weight = problem::NormWeight::zero_centred;
  wide.sink = wide.output_gate = true;
  wide.model_dim = 24;
  wide.rope.layout = problem::RopeLayout::none;
  problems.push_back(wide);
  Problem unified = small_mla(kind);
  unified.norm.scheme = problem::NormScheme::unified;
  unified.norm.kind = problem::NormKind::l2;
  unified.mask = {problem::MaskKind::window, 40};
  problems.push_back(unified);
  return problems;
}

bool same(const tensor::AnyTensor& a, const tensor::AnyTensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.bytes(), b.bytes(), a.byte_size()) == 0;
}

TEST_CASE("every family of every kind of problem is complete, finite and well shaped") {
  for (const auto& [kind, description] : input_families()) {
    CHECK_FALSE(description.empty());
    for (Problem p : all_problems(kind)) {
      for (const scalar::Format storage :
           {scalar::kBf16, scalar::kFp16, scalar::kFp32, scalar::kFp64, scalar::Format{scalar::FormatKind::real, 40}}) {
        CAPTURE(kind, p.name, to_string(storage));
        p.precision.storage = storage;
        const TensorMap inputs = generate_inputs(p);
        REQUIRE_NOTHROW(check_inputs(p, inputs));
        for (const problem::TensorSpec& spec : problem::input_tensors(p, problem::default_table_rows(p))) {
          if (spec.role == problem::Role::positions) continue;
          const bool table = spec.role == problem::Role::rope_table;
          const tensor::DType wanted = table                                      ? tensor::DType::f32
                                       : storage.kind == scalar::FormatKind::real ? tensor::DType::f64
                                                                                  : tensor::dtype_of(storage);
          REQUIRE(inputs.at(spec.name).dtype() == wanted);
        }
      }
    }
  }
}

TEST_CASE("the families are those of the problem file") {
  std::set<std::string> listed{"file"}, known;
  for (const auto& [kind, description] : input_families()) listed.insert(kind);
  for (const std::string_view kind : problem::kInputKinds) known.insert(std::string(kind));
  CHECK(listed == known);
  Problem p = small_mla("bland");
  CHECK_THROWS_WITH(generate_inputs(p), Catch::Matchers::Contains("bland") && Catch::Matchers::Contains("planted-key"));
}

TEST_CASE("bits do not depend on the number of threads") {
  for (const auto& [kind, description] : input_families()) {
    CAPTURE(kind);
    std::vector<std::uint64_t> hashes;
    for (const std::size_t threads : {1, 2, 5}) {
      const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
      hashes.push_back(hash_of(generate_inputs(small_mla(kind))));
    }
    CHECK(hashes[0] == hashes[1]);
    CHECK(hashes[0] == hashes[2]);
  }
}

TEST_CASE("bits never change: a seed in an old report still means the same inputs") {
  const std::map<std::string, std::uint64_t> golden{
      {"normal", 0x621559e38d055153},           {"uniform", 0xc3fbf232ce14e321},      {"planted-key", 0x16969803e6b5d831},
      {"edge-logits", 0x3284bc2bc957046b},      {"small-tokens", 0x4ef072988ecb7163}, {"wide-tokens", 0x8682c332528893c2},
      {"massive-channels", 0x9510d14e75dd5ba2}, {"anisotropic", 0x3f3bb7d2a277145d},  {"nullspace", 0x5adc0a7ca1a07588},
      {"integers", 0x324ebe439a1a617c},         {"zero-token", 0x166c2a3d15d4199f},   {"constant", 0xe60b798316c02739}};
  for (const auto& [kind, description] : input_families()) {
    std::uint64_t hash = 0;
    for (Problem p : all_problems(kind)) {
      for (const scalar::Format storage : {scalar::kBf16, scalar::kFp64}) {
        p.precision.storage = storage;
        hash = hash * 31 + hash_of(generate_inputs(p));
      }
    }
    CAPTURE(kind);
    CHECK(hash == golden.at(kind));
  }
}

TEST_CASE("seed and tensor name change the data, other tensors and the batch size do not") {
  Problem p = small_mla();
  const TensorMap inputs = generate_inputs(p);
  const TensorMap part = generate_inputs(p, {"c", "gamma_ck", "rope_sin"});
  REQUIRE(part.size() == 3);
  for (const auto& [name, tensor] : part) CHECK(same(tensor, inputs.at(name)));
  CHECK_THROWS_WITH(generate_inputs(p, {"c", "d"}), Catch::Matchers::Contains("\"d\""));
  p.inputs.seed = 2;
  const TensorMap other = generate_inputs(p);
  for (const auto& [name, tensor] : inputs) {
    CAPTURE(name);
    CHECK(same(tensor, other.at(name)) == name.starts_with("rope_"));
  }
}

TEST_CASE("16-bit values of the narrow families are exact in both formats; all values fit their storage") {
  const std::set<std::string> wide{"small-tokens", "wide-tokens", "massive-channels"};
  for (const auto& [kind, description] : input_families()) {
    for (Problem p : all_problems(kind)) {
      for (const scalar::Format storage : {scalar::kBf16, scalar::kFp16}) {
        p.precision.storage = storage;
        for (const auto& [name, tensor] : generate_inputs(p)) {
          if (name.starts_with("rope_") || wide.count(kind) > 0) continue;
          CAPTURE(kind, p.name, name);
          for (const double value : values_of(tensor)) {
            REQUIRE(scalar::round_to(scalar::kBf16, value) == value);
            REQUIRE(scalar::round_to(scalar::kFp16, value) == value);
          }
        }
      }
    }
  }
}

TEST_CASE("real:BITS inputs hold at most BITS bits, fp64 ones use all of theirs") {
  Problem p = small_mla();
  p.precision.storage = {scalar::FormatKind::real, 17};
  for (const double value : values_of(generate_inputs(p).at("c"))) {
    int exponent = 0;
    const double scaled = std::ldexp(std::frexp(value, &exponent), 17);
    REQUIRE(scaled == std::nearbyint(scaled));
  }
  p.precision.storage = scalar::kFp64;
  int full = 0;
  for (const double value : values_of(generate_inputs(p).at("c"))) full += scalar::round_to(scalar::kFp32, value) != value;
  CHECK(full > 10000);
}

TEST_CASE("normal inputs have the stated spread, gammas random signs") {
  Problem p = small_mla();
  p.precision.storage = scalar::kFp32;
  p.context = {2000};
  p.sink = true;
  p.heads = p.groups = 64;
  const TensorMap inputs = generate_inputs(p);
  const auto deviation = [&inputs](const std::string& name) {
    double squares = 0;
    const std::vector<double> values = values_of(inputs.at(name));
    for (const double value : values) squares += value * value;
    return std::sqrt(squares / static_cast<double>(values.size()));
  };
  CHECK(deviation("c") == Approx(1).epsilon(0.01));
  CHECK(deviation("k_rope") == Approx(1).epsilon(0.02));
  CHECK(deviation("w_k") == Approx(1 / std::sqrt(96.0)).epsilon(0.01));
  const std::vector<double> gamma = values_of(inputs.at("gamma_ck"));
  int negative = 0, pairs_differ = 0;
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    REQUIRE((std::abs(gamma[j]) >= 0.5 && std::abs(gamma[j]) <= 1.5));
    negative += gamma[j] < 0;
    pairs_differ += gamma[j] != gamma[j ^ 1];
  }
  CHECK(negative > 4);
  CHECK(negative < 40);
  CHECK(pairs_differ == 64);
  const std::vector<double> sink = values_of(inputs.at("sink"));
  double mean = 0;
  for (const double value : sink) mean += value / static_cast<double>(sink.size());
  CHECK(mean == Approx(std::sqrt(2 * std::log(2002.0))).margin(0.4));
  p.norm.weight = problem::NormWeight::zero_centred;
  double sum = 0;
  for (const double value : values_of(generate_inputs(p).at("gamma_ck"))) sum += value / 64;
  CHECK(std::abs(sum) < 0.3);
}

}  // namespace
}  // namespace equinorm::inputs
