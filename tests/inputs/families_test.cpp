// Each adversarial family produces what it claims, measured on the inputs themselves or on naively computed logits.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "inputs/generate.hpp"
#include "inputs/naive_scores.hpp"
#include "inputs/support.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using tensor::TensorMap;

double rms(const std::vector<double>& values, Index begin, Index count) {
  double squares = 0;
  for (Index i = begin; i < begin + count; ++i) squares += values[static_cast<std::size_t>(i)] * values[static_cast<std::size_t>(i)];
  return std::sqrt(squares / static_cast<double>(count));
}

/// Problems in which keys can be planted, one for each way of doing it.
std::vector<Problem> plantable(const std::string& kind) {
  std::vector<Problem> problems{small_mla(kind), small_mla(kind),         small_mla(kind),         small_gqa(kind),        small_gqa(kind),
                                small_gqa(kind), from_x(small_mla(kind)), from_x(small_mla(kind)), from_x(small_gqa(kind))};
  problems[1].norm.scheme = problem::NormScheme::unified;
  problems[1].norm.kind = problem::NormKind::l2;
  problems[2].norm.scheme = problem::NormScheme::none;
  problems[2].rope.layout = problem::RopeLayout::half;
  problems[3].norm.weight = problem::NormWeight::zero_centred;
  problems[4].norm.scheme = problem::NormScheme::full_width;
  problems[5].rope.layout = problem::RopeLayout::interleaved;
  problems[5].rope.part = problem::RopePart::last;
  problems[7].query_latent = 48;
  for (std::size_t i = 0; i < problems.size(); ++i) problems[i].name.append(" ").append(std::to_string(i));
  return problems;
}

TEST_CASE("planted-key: the last key beats every other by far, for every head and seed") {
  for (const std::uint64_t seed : {1, 2}) {
    for (Problem p : plantable("planted-key")) {
      p.inputs.seed = seed;
      p.queries = 1;
      p.context = {130, 200};
      const std::vector<double> scores = naive_scores(p, generate_inputs(p));
      double margins = 0;
      Index largest = 0;
      for (Index row = 0; row < p.batch * p.heads; ++row) {
        const Index last = p.context_of(row / p.heads) - 1;
        const double* logits = scores.data() + row * p.max_context();
        double ordinary = -1e300, other = -1e300;
        for (Index t = 0; t < last; ++t) {
          other = std::max(other, logits[t]);
          if (t != 0 && t != (last + 1) / 2) ordinary = std::max(ordinary, logits[t]);
        }
        CAPTURE(p.name, seed, row, logits[last], other, ordinary);
        largest += logits[last] > other;
        CHECK(logits[last] > ordinary + 0.75);
        margins += (logits[last] - ordinary) / static_cast<double>(p.batch * p.heads);
      }
      CAPTURE(p.name, seed, margins, largest);
      CHECK(margins > 2.5);
      CHECK(largest >= p.batch * p.heads * 3 / 4);  // of these few dims; the others are planted too, with less
    }
  }
}

TEST_CASE("edge-logits: the keys on both sides of every edge have large logits") {
  for (const problem::Mask mask : {problem::Mask{problem::MaskKind::causal, 0}, problem::Mask{problem::MaskKind::window, 50}}) {
    for (Problem p : plantable("edge-logits")) {
      p.mask = mask;
      p.queries = 4;
      p.context = {120, 150};
      const std::vector<double> scores = naive_scores(p, generate_inputs(p));
      for (Index b = 0; b < p.batch; ++b) {
        // The first query: its last live key, the masked one after it, and at the other end the first live key and the masked one before
        // it.
        const Index last = p.query_position(b, 0);
        std::vector<Index> edges{last, last + 1};
        if (mask.kind == problem::MaskKind::window) edges.insert(edges.end(), {last - 50, last - 49});
        if (mask.kind == problem::MaskKind::causal) edges.push_back(0);
        CHECK(sees(p, b, 0, edges[0]));
        CHECK_FALSE(sees(p, b, 0, edges[1]));
        double margin = 0;
        for (Index h = 0; h < p.heads; ++h) {
          const double* logits = scores.data() + ((b * p.heads + h) * p.queries) * p.max_context();
          double typical = 0;
          for (Index t = 5; t < 60; ++t) typical += std::abs(logits[t]) / 55;
          for (const Index t : edges)
            margin += (logits[t] - typical) / static_cast<double>(edges.size() * static_cast<std::size_t>(p.heads));
        }
        CAPTURE(p.name, problem::to_string(mask.kind), b, margin);
        CHECK(margin > 2.5);
      }
    }
  }
}

TEST_CASE("small-tokens: most tokens and queries lie near sqrt(eps), some do not") {
  for (const char* eps : {"1e-6", "1e-5", "1e-12"}) {
    Problem p = small_mla("small-tokens");
    p.norm.eps = scalar::Decimal(eps);
    p.precision.storage = scalar::kFp32;
    const TensorMap inputs = generate_inputs(p);
    const double size = std::sqrt(std::stod(eps));
    for (const auto& [name, width] : {std::pair("c", p.latent), std::pair("q_content", p.content_dim)}) {
      const std::vector<double> values = values_of(inputs.at(name));
      const Index rows = static_cast<Index>(values.size()) / width;
      Index small = 0, below = 0, ordinary = 0;
      for (Index row = 0; row < rows; ++row) {
        const double token = rms(values, row * width, width);
        small += token > size / 16 && token < size * 16;
        below += token < size;
        ordinary += token > 0.5;
      }
      CAPTURE(eps, name, rows, small, ordinary);
      CHECK(small + ordinary == rows);
      CHECK(small > rows / 2);
      CHECK(ordinary > 0);
      CHECK(below > rows / 8);
    }
  }
}

TEST_CASE("small-tokens behind a latent norm: the projected keys are small") {
  Problem p = from_x(small_mla("small-tokens"));
  p.precision.storage = scalar::kFp32;
  const std::vector<double> weights = values_of(generate_inputs(p).at("w_k"));
  CHECK(rms(weights, 0, static_cast<Index>(weights.size())) == Approx(2e-3 / std::sqrt(96.0)).epsilon(0.02));
}

TEST_CASE("wide-tokens: token RMS spans 2^-12 to 2^12") {
  for (const scalar::Format storage : {scalar::kFp16, scalar::kBf16}) {
    Problem p = small_mla("wide-tokens");
    p.precision.storage = storage;
    const std::vector<double> c = values_of(generate_inputs(p).at("c"));
    double smallest = 1e300, largest = 0;
    for (Index row = 0; row < p.batch * p.max_context(); ++row) {
      smallest = std::min(smallest, rms(c, row * p.latent, p.latent));
      largest = std::max(largest, rms(c, row * p.latent, p.latent));
    }
    CHECK(smallest < 0x1p-10);
    CHECK(smallest > 0x1p-13);
    CHECK(largest > 0x1p10);
    CHECK(largest < 0x1p13);
  }
}

TEST_CASE("massive-channels: a few channels dwarf the rest, the same ones in every token") {
  const Problem p = small_mla("massive-channels");
  const std::vector<double> c = values_of(generate_inputs(p).at("c"));
  std::vector<double> channels(static_cast<std::size_t>(p.latent));
  for (std::size_t i = 0; i < c.size(); ++i) channels[i % channels.size()] += c[i] * c[i] / static_cast<double>(p.batch * p.max_context());
  std::sort(channels.begin(), channels.end());
  CHECK(std::sqrt(channels.back() / channels[channels.size() / 2]) > 12);
  CHECK(std::sqrt(channels[channels.size() - 6] / channels[channels.size() / 2]) < 6);
}

TEST_CASE("anisotropic: rows of the up-projection fall from 1 to 2^-12, keys keep their size") {
  Problem p = small_mla("anisotropic");
  p.precision.storage = scalar::kFp32;
  const TensorMap inputs = generate_inputs(p);
  const std::vector<double> w = values_of(inputs.at("w_k"));
  const double first = rms(w, 0, p.content_dim), last = rms(w, (p.latent - 1) * p.content_dim, p.content_dim);
  CHECK(std::log2(first / last) == Approx(12).margin(0.7));
  const std::vector<double> c = values_of(inputs.at("c"));
  double squares = 0;
  for (Index t = 0; t < 20; ++t) {
    for (Index j = 0; j < p.content_dim; ++j) {
      double key = 0;
      for (Index i = 0; i < p.latent; ++i)
        key += c[static_cast<std::size_t>(t * p.latent + i)] * w[static_cast<std::size_t>(i * p.content_dim + j)];
      squares += key * key / static_cast<double>(20 * p.content_dim);
    }
  }
  CHECK(std::sqrt(squares) > 0.4);
  CHECK(std::sqrt(squares) < 2.5);
  // Tokens share a mean larger than their spread.
  double mean = 0;
  for (Index i = 0; i < p.latent; ++i) {
    double sum = 0;
    for (Index t = 0; t < 100; ++t) sum += c[static_cast<std::size_t>(t * p.latent + i)] / 100;
    mean += sum * sum / static_cast<double>(p.latent);
  }
  CHECK(mean > 0.5);
}

TEST_CASE("nullspace: the up-projection cancels most of every latent") {
  for (Problem p : {small_mla("nullspace"), from_x(small_mla("nullspace"))}) {
    p.precision.storage = scalar::kFp32;
    p.norm.latent_norm = false;
    const TensorMap inputs = generate_inputs(p);
    const std::vector<double> w = values_of(inputs.at("w_k"));
    const bool x = p.start == problem::Start::x;
    const std::vector<double> c = values_of(inputs.at(x ? "w_dkv" : "c"));  // rows of w_dkv are cancelled as well as tokens
    double cancelled = 0, uncancelled = 0;
    for (Index t = 0; t < 50; ++t) {
      for (Index j = 0; j < p.content_dim; ++j) {
        double key = 0, squares = 0;
        for (Index i = 0; i < p.latent; ++i) {
          const double product = c[static_cast<std::size_t>(t * p.latent + i)] * w[static_cast<std::size_t>(i * p.content_dim + j)];
          key += product;
          squares += product * product;
        }
        cancelled += key * key;
        uncancelled += squares;
      }
    }
    CHECK(std::sqrt(uncancelled / cancelled) > 10);
    CHECK(cancelled > 0);
  }
}

TEST_CASE("uniform is bounded with unit variance; constant is constant; integers are small integers") {
  Problem p = small_mla("uniform");
  p.precision.storage = scalar::kFp32;
  const std::vector<double> u = values_of(generate_inputs(p).at("c"));
  CHECK(*std::max_element(u.begin(), u.end()) <= std::sqrt(3.0));
  CHECK(rms(u, 0, static_cast<Index>(u.size())) == Approx(1).epsilon(0.01));

  for (const auto& [name, tensor] : generate_inputs(small_mla("constant"))) {
    const std::vector<double> values = values_of(tensor);
    CAPTURE(name);
    if (name.starts_with("rope_")) continue;
    CHECK(std::count(values.begin(), values.end(), values[0]) == tensor.size());
    CHECK(values[0] != 0);
  }

  const TensorMap integers = generate_inputs(small_mla("integers"));
  for (const double value : values_of(integers.at("c"))) REQUIRE((value == std::nearbyint(value) && std::abs(value) <= 8));
  const std::vector<double> w = values_of(integers.at("w_k"));
  const double largest = *std::max_element(w.begin(), w.end());
  CHECK(std::exp2(std::nearbyint(std::log2(largest))) == largest);
  for (const double value : w) REQUIRE((value == 0 || std::abs(value) == largest));
  for (const double value : values_of(integers.at("gamma_cq"))) REQUIRE((value * 2 == std::nearbyint(value * 2) && value != 0));
}

TEST_CASE("zero-token: some tokens and queries are zero, the rest are not; impossible without eps") {
  Problem p = small_mla("zero-token");
  const TensorMap inputs = generate_inputs(p);
  const std::vector<double> c = values_of(inputs.at("c")), k_rope = values_of(inputs.at("k_rope")), q = values_of(inputs.at("q_content"));
  for (Index b = 0; b < p.batch; ++b) {
    for (Index t = 0; t < p.context_of(b); ++t) {
      const bool zero = t % 5 == 2 || t == p.context_of(b) - 1;
      const Index row = b * p.max_context() + t;
      REQUIRE((rms(c, row * p.latent, p.latent) == 0) == zero);
      REQUIRE((rms(k_rope, row * p.rope_dim, p.rope_dim) == 0) == zero);
    }
  }
  Index zero_queries = 0;
  for (Index row = 0; row < p.batch * p.queries * p.heads; ++row) zero_queries += rms(q, row * p.content_dim, p.content_dim) == 0;
  CHECK(zero_queries == 6);
  p.norm.eps = scalar::Decimal("0");
  CHECK_THROWS_WITH(generate_inputs(p), Catch::Matchers::Contains("zero-token") && Catch::Matchers::Contains("eps"));
}

}  // namespace
}  // namespace equinorm::inputs
