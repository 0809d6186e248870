// A small case of u = p c for the kernels of bad/, and its answer.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/runner.hpp"

namespace equinorm::kernels::testing {

/// Two rows of 5 and 9 tokens, three queries, two heads.
inline Problem value_problem(Index latent = 8, std::vector<Index> context = {5, 9}) {
  Problem problem;
  problem.batch = 2, problem.queries = 3, problem.context = std::move(context);
  problem.heads = problem.groups = 2, problem.latent = latent;
  problem.content_dim = problem.rope_dim = problem.value_dim = 4;
  problem.precision.storage = scalar::kFp32;
  return problem;
}

inline std::string bad_kernel(const std::string& name) { return std::string(EQUINORM_BAD_KERNELS) + "/" + name + ".so"; }

inline Limits short_limits() { return {.seconds = 20, .memory = std::uint64_t{96} << 20, .threads = 1}; }

/// Random numbers for every input that the kernel reads.
inline tensor::TensorMap random_inputs(const Declaration& declaration, const Problem& problem, unsigned seed) {
  tensor::TensorMap inputs;
  std::mt19937 random(seed);
  for (const Passed& passed : passed_tensors(declaration, problem).inputs) {
    tensor::AnyTensor tensor(passed.dtype, passed.spec.shape);
    std::vector<double> values(static_cast<std::size_t>(tensor.size()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = passed.spec.name == "context_lengths" ? static_cast<double>(problem.context_of(static_cast<Index>(i)))
                                                        : static_cast<double>(random()) / 4294967296.0 - 0.5;
    tensor.write(0, tensor.size(), values.data());
    inputs.emplace(passed.spec.name, tensor);
  }
  return inputs;
}

/// The sums of honest.h, in its order.
inline std::vector<float> expected_values(const Problem& problem, const tensor::TensorMap& inputs) {
  const tensor::AnyTensor &p = inputs.at("p"), &c = inputs.at("c");
  std::vector<float> u;
  for (Index b = 0; b < problem.batch; ++b) {
    for (Index s = 0; s < problem.queries; ++s) {
      for (Index h = 0; h < problem.heads; ++h) {
        for (Index j = 0; j < problem.latent; ++j) {
          float sum = 0;
          const Index tokens = problem.max_context();
          for (Index t = 0; t < problem.context_of(b); ++t) {
            const double weight = p.at(((b * problem.heads + h) * problem.queries + s) * tokens + t);
            sum += static_cast<float>(weight) * static_cast<float>(c.at((b * tokens + t) * problem.latent + j));
          }
          u.push_back(sum);
        }
      }
    }
  }
  return u;
}

inline bool equals(const tensor::AnyTensor& tensor, const std::vector<float>& values) {
  return tensor.byte_size() == values.size() * sizeof(float) && std::memcmp(tensor.bytes(), values.data(), tensor.byte_size()) == 0;
}

/// Opens a kernel of bad/ and runs it on the small case.
struct Attempt {
  Problem problem = value_problem();
  std::unique_ptr<Runner> runner;
  Request request;

  explicit Attempt(const std::string& name, unsigned seed = 1, Limits limits = short_limits())
      : runner(open_kernel(bad_kernel(name), DeviceChoice::as_declared, limits)) {
    problem = with_declared_precision(runner->declaration(), problem);
    request.inputs = random_inputs(runner->declaration(), problem, seed);
    request.layout_seed = seed;
    request.limits = limits;
  }

  Outcome run() {
    request.problem = &problem;
    return runner->run(request);
  }
};

}  // namespace equinorm::kernels::testing
