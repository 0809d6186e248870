// What the tests of the decimal reference share: tensors from lists, comparison, and a problem whose numbers come out even.
#pragma once

#include <catch2/catch.hpp>
#include <vector>

#include "reference/decimal_reference.hpp"

namespace equinorm::reference {

using tensor::AnyTensor;
using tensor::DType;
using tensor::Shape;
using tensor::TensorMap;

inline Number decimal(const char* text) { return to_number(scalar::Decimal(text)); }

inline AnyTensor values(const Shape& shape, const std::vector<double>& numbers, DType dtype = DType::f32) {
  AnyTensor result(dtype, shape);
  REQUIRE(result.size() == static_cast<Index>(numbers.size()));
  result.write(0, result.size(), numbers.data());
  return result;
}

inline Number ratio(int a, int b) { return Number(a) / Number(b); }

inline void check_equal(const tensor::Tensor<Number>& got, const Shape& shape, const std::vector<Number>& expected) {
  REQUIRE(got.shape() == shape);
  REQUIRE(got.size() == static_cast<Index>(expected.size()));
  for (Index i = 0; i < got.size(); ++i) {
    INFO("element " << i << ": " << got[i] << " expected " << expected[static_cast<std::size_t>(i)]);
    const Number& want = expected[static_cast<std::size_t>(i)];
    if (is_minus_infinity(want))
      CHECK(is_minus_infinity(got[i]));
    else if (is_undefined(want))
      CHECK(is_undefined(got[i]));
    else
      CHECK(abs(got[i] - want) < decimal("1e-55"));
  }
}

inline void check_same(const Outputs& a, const Outputs& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, tensor] : a) {
    INFO(name);
    std::vector<Number> expected(tensor.data(), tensor.data() + tensor.size());
    check_equal(b.at(name), tensor.shape(), expected);
  }
}

/// One head, one group, all widths 2, two keys, one causal query; mean z^2 + 1/2 is a square for every z.
inline problem::Problem two_token_problem() {
  problem::Problem problem;
  problem.context = {2};
  problem.heads = problem.groups = 1;
  problem.latent = problem.content_dim = problem.rope_dim = 2;
  problem.value_dim = 1;
  problem.norm.eps = scalar::Decimal("0.5");
  problem.scale = scalar::Decimal("1.5");
  return problem;
}

/// k0 = c W_K = (c0, c0 + c1): (4, 1) and (7, 0). The tables are no rotations, as inputs need not be.
inline TensorMap two_token_inputs() {
  TensorMap inputs;
  inputs["c"] = values({1, 2, 2}, {4, -3, 7, -7});
  inputs["k_rope"] = values({1, 2, 2}, {1, 4, 7, 0});
  inputs["q_content"] = values({1, 1, 1, 2}, {9, 4});
  inputs["q_rope"] = values({1, 1, 1, 2}, {4, 1});
  inputs["w_k"] = values({1, 2, 2}, {1, 1, 0, 1});
  inputs["w_v"] = values({1, 2, 1}, {1, 2});
  inputs["gamma_cq"] = values({2}, {2, 1});
  inputs["gamma_ck"] = values({2}, {1, 3});
  inputs["gamma_rq"] = values({2}, {1, 2});
  inputs["gamma_rk"] = values({2}, {0.5, 1});
  inputs["rope_cos"] = values({2, 1}, {1, 0});
  inputs["rope_sin"] = values({2, 1}, {0, 1});
  return inputs;
}

}  // namespace equinorm::reference
