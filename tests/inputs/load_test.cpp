#include "inputs/load.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "inputs/generate.hpp"
#include "inputs/support.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::inputs {
namespace {

using Catch::Matchers::Contains;
using problem::Problem;
using tensor::AnyTensor;
using tensor::DType;
using tensor::TensorMap;

AnyTensor filled(DType dtype, tensor::Shape shape, double value) {
  AnyTensor tensor(dtype, std::move(shape));
  const std::vector<double> values(static_cast<std::size_t>(tensor.size()), value);
  tensor.write(0, tensor.size(), values.data());
  return tensor;
}

/// A copy of `source` with one element replaced.
AnyTensor with_element(const AnyTensor& source, tensor::Index flat, double value) {
  AnyTensor copy(source.dtype(), source.shape());
  std::memcpy(copy.mutable_bytes(), source.bytes(), source.byte_size());
  copy.write(flat, 1, &value);
  return copy;
}

TEST_CASE("inputs from a file are those in the file; outputs in it are left out") {
  const TemporaryFolder folder("load");
  Problem p = small_mla();
  TensorMap stored = generate_inputs(p);
  const std::size_t needed = stored.size();
  stored.emplace("o", AnyTensor(DType::f64, {1}));
  stored.emplace("logits.radius", AnyTensor(DType::f64, {1}));
  stored.emplace("lse.lo", AnyTensor(DType::f64, {1}));
  stored.emplace("alpha_k.bound", AnyTensor(DType::f64, {1}));
  p.inputs = {"file", 1, folder.file("in.safetensors")};
  tensor::write_safetensors(p.inputs.path, stored);
  const TensorMap loaded = make_inputs(p);
  REQUIRE(loaded.size() == needed);
  for (const auto& [name, tensor] : loaded) {
    CAPTURE(name);
    CHECK(tensor.dtype() == stored.at(name).dtype());
    CHECK(std::memcmp(tensor.bytes(), stored.at(name).bytes(), tensor.byte_size()) == 0);
  }
}

TEST_CASE("a generated kind is generated") {
  const Problem p = small_gqa("edge-logits");
  const TensorMap made = make_inputs(p), generated = generate_inputs(p);
  REQUIRE(made.size() == generated.size());
  CHECK(std::memcmp(made.at("k").bytes(), generated.at("k").bytes(), made.at("k").byte_size()) == 0);
}

TEST_CASE("names, shapes and dtypes are checked, each message naming tensor, value and what is allowed") {
  const Problem p = small_mla();
  const TensorMap good = generate_inputs(p);
  REQUIRE_NOTHROW(check_inputs(p, good));

  TensorMap inputs = good;
  inputs.erase("w_v");
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("\"w_v\"") && Contains("[2,96,16]") && Contains("missing"));
  CHECK_THROWS_WITH(check_inputs(p, inputs, {{"w_v", "F8_E4M3"}}), Contains("\"w_v\"") && Contains("F8_E4M3") && Contains("BF16"));

  for (const char* name : {"weird", "c.lo", "o.lo.lo", "k"}) {
    inputs = good;
    inputs.emplace(name, AnyTensor(DType::f32, {1}));
    CHECK_THROWS_WITH(check_inputs(p, inputs), Contains(std::string("\"") + name + "\"") && Contains("allowed"));
  }
  inputs = good;
  inputs.insert_or_assign("c", AnyTensor(DType::f32, {2, 96, 150}));
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("\"c\"") && Contains("[2,96,150]") && Contains("[2,150,96]"));
  inputs = good;
  inputs.insert_or_assign("c", AnyTensor(DType::i64, {2, 150, 96}));
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("\"c\"") && Contains("I64") && Contains("BF16"));
  inputs = good;
  inputs.insert_or_assign("rope_sin", AnyTensor(DType::f32, {149, 16}));
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("\"rope_sin\"") && Contains("[149,16]") && Contains("[150,16]"));
}

TEST_CASE("wider and narrower floating dtypes are accepted") {
  const Problem p = small_mla();
  for (const DType dtype : {DType::f16, DType::f32, DType::f64}) {
    TensorMap inputs = generate_inputs(p);
    inputs.insert_or_assign("gamma_ck", filled(dtype, {64}, 1));
    CHECK_NOTHROW(check_inputs(p, inputs));
  }
}

TEST_CASE("NaN and infinities are refused with their index, the first one whatever the threads do") {
  const Problem p = small_mla();
  const TensorMap good = generate_inputs(p);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    TensorMap inputs = good;
    inputs.insert_or_assign("c", with_element(with_element(good.at("c"), 96 * 150 + 96 * 7 + 5, bad), 96 * 150 + 96 * 140, bad));
    CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("\"c\"") && Contains("[1,7,5]") && Contains("finite"));
  }
  TensorMap inputs = good;
  inputs.insert_or_assign("c", with_element(good.at("c"), good.at("c").size() - 1, std::nan("")));  // padding of row 1
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("[1,149,95]"));
}

TEST_CASE("positions must not be negative nor beyond the tables") {
  Problem p = small_mla();
  const TensorMap good = generate_inputs(p);
  TensorMap inputs = good;
  inputs.emplace("positions_k", filled(DType::i64, {2, 150}, 149));
  inputs.emplace("positions_q", filled(DType::i32, {2, 3}, 0));
  CHECK_NOTHROW(check_inputs(p, inputs));
  inputs.insert_or_assign("positions_k", with_element(inputs.at("positions_k"), 150 + 96, 150));
  CHECK_THROWS_WITH(check_inputs(p, inputs),
                    Contains("rope_cos") && Contains("150 rows") && Contains("position is 150") && Contains("151"));
  inputs.insert_or_assign("positions_k", with_element(filled(DType::i64, {2, 150}, 149), 150 + 97, 150));  // padding: only 97 tokens live
  CHECK_NOTHROW(check_inputs(p, inputs));
  inputs.insert_or_assign("positions_q", with_element(inputs.at("positions_q"), 4, -1));
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("positions_q") && Contains("-1") && Contains("[1,1]"));
  inputs.insert_or_assign("positions_q", filled(DType::f32, {2, 3}, 0));
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("positions_q") && Contains("F32") && Contains("I64"));

  inputs = good;  // default positions need max T_b rows
  for (const char* name : {"rope_cos", "rope_sin"}) inputs.insert_or_assign(name, filled(DType::f32, {149, 16}, 0.5));
  CHECK_THROWS_WITH(check_inputs(p, inputs), Contains("rope_cos") && Contains("149 rows"));
  for (const char* name : {"rope_cos", "rope_sin"}) inputs.insert_or_assign(name, filled(DType::f32, {1000, 16}, 0.5));
  CHECK_NOTHROW(check_inputs(p, inputs));
}

TEST_CASE("without a mask, more queries than tokens need explicit positions") {
  Problem p = small_mla();
  p.mask.kind = problem::MaskKind::none;
  p.context = {2};
  CHECK_THROWS_AS(make_inputs(p), Error);
  TensorMap inputs = generate_inputs(p);
  inputs.emplace("positions_q", filled(DType::i64, {2, 3}, 1));
  CHECK_NOTHROW(check_inputs(p, inputs));
  p.mask.kind = problem::MaskKind::causal;
  CHECK_NOTHROW(make_inputs(p));
}

/// `source` with the elements [begin, begin + count) set to 0.
AnyTensor with_zeros(AnyTensor source, tensor::Index begin, tensor::Index count) {
  for (tensor::Index i = 0; i < count; ++i) source = with_element(source, begin + i, 0);
  return source;
}

TEST_CASE("with eps 0, rows that have no inverse RMS are refused") {
  struct Case {
    Problem problem;
    std::string tensor;
    tensor::Index begin, count;
    std::string index;
    bool refused;
  };
  Problem mla = small_mla(), unified = small_mla(), gqa = small_gqa(), full = small_gqa(), unnormed = small_mla();
  unified.norm.scheme = problem::NormScheme::unified;
  full.norm.scheme = problem::NormScheme::full_width;
  unnormed.norm.scheme = problem::NormScheme::none;
  const std::vector<Case> cases{
      {mla, "c", 96 * 3, 96, "[0,3]", true},
      {mla, "c", 96 * 3, 95, "", false},
      {mla, "c", 96 * (150 + 97), 96, "", false},  // padding
      {mla, "k_rope", 32 * (150 + 96), 32, "[1,96]", true},
      {mla, "q_content", 64 * 13, 64, "[1,0]", true},
      {mla, "q_rope", 32 * 11, 32, "[0,2]", true},
      {unified, "c", 96 * 3, 96, "", false},  // k_rope of that token is not zero
      {gqa, "k", 64 * 9, 64, "[0,4]", true},
      {full, "k", 64 * 9, 64, "", false},
      {full, "k", 64 * 8, 128, "[0,4]", true},
      {gqa, "q", 64 * 5, 64, "[0,1]", true},
      {full, "q", 64 * 5, 64, "", false},
      {from_x(mla), "x", 128 * 4, 128, "[0,4]", true},
      {unnormed, "c", 96 * 3, 96, "", false},
  };
  for (Case c : cases) {
    CAPTURE(c.problem.name, c.tensor, c.begin, c.count);
    c.problem.norm.eps = scalar::Decimal("0");
    TensorMap inputs = generate_inputs(c.problem);
    inputs.insert_or_assign(c.tensor, with_zeros(inputs.at(c.tensor), c.begin, c.count));
    if (c.refused) {
      CHECK_THROWS_WITH(check_inputs(c.problem, inputs), Contains("\"" + c.tensor + "\"") && Contains(c.index) && Contains("eps"));
    } else {
      CHECK_NOTHROW(check_inputs(c.problem, inputs));
    }
    c.problem.norm.eps = scalar::Decimal("1e-6");
    CHECK_NOTHROW(check_inputs(c.problem, inputs));
  }
}

}  // namespace
}  // namespace equinorm::inputs
