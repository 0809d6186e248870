#include "bounds/thirteen_mutants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <random>

#include "bounds/bounds.hpp"
#include "inputs/generate.hpp"
#include "oracle/oracle.hpp"
#include "scalar/rounding.hpp"

namespace equinorm::bounds {
namespace {

constexpr Index kQueries = 16, kDim = 192, kRope = 64, kValue = 128, kTile = 64;
constexpr double kEps = 1e-6;

using Matrix = Tensor<float>;
using Outputs = std::map<std::string, Tensor<double>>;

float bf16(double x) { return static_cast<float>(scalar::round_to(scalar::kBf16, x)); }

problem::Problem problem_of(Index keys, const MutantCase& one, unsigned seed) {
  problem::Problem p;
  p.name = "thirteen-mutants";
  p.attention = problem::Attention::gqa;
  p.norm.scheme = problem::NormScheme::per_head;
  p.queries = kQueries, p.context = {keys}, p.heads = p.groups = 1;
  p.head_dim = kDim, p.value_dim = kValue, p.rope_dim = 0;
  p.rope.layout = problem::RopeLayout::none, p.mask.kind = problem::MaskKind::none;
  p.inputs.kind = one.family == "bland" ? "normal" : one.family, p.inputs.seed = seed;
  problem::validate(p);
  return p;
}

tensor::TensorMap inputs_of(const problem::Problem& problem, const MutantCase& one) {
  tensor::TensorMap inputs = inputs::generate_inputs(problem);
  if (one.family != "bland") return inputs;
  for (const auto& [name, gamma] : {std::pair{"gamma_q", one.spread}, std::pair{"gamma_k", 1.0}}) {
    const std::vector<double> values(kDim, gamma);
    inputs.at(name).write(0, kDim, values.data());
  }
  return inputs;
}

/// How rounding is declared: what every kernel here claims to do.
paths::Plan declared_plan() {
  paths::Plan plan;
  plan.precision.storage = scalar::kBf16;
  plan.precision.stored = problem::Precision::default_stored(scalar::kBf16);
  for (const auto tensor : {problem::Stored::k_hat, problem::Stored::q_hat, problem::Stored::p}) plan.precision.of(tensor) = scalar::kBf16;
  plan.precision.tile = kTile;
  plan.denominator_rounded = false;
  return plan;
}

/// factor x gamma / sqrt(mean x^2 + eps) in bf16, in the arithmetic V.
template <class V>
Matrix normalised(const Tensor<double>& raw, const Tensor<double>& gamma, double factor, double eps) {
  Matrix result({raw.size() / kDim, kDim});
  for (Index i = 0; i < result.dim(0); ++i) {
    const double* x = raw.data() + i * kDim;
    V sum = 0;
    for (Index j = 0; j < kDim; ++j) sum += static_cast<V>(x[j]) * static_cast<V>(x[j]);
    const V alpha = 1 / std::sqrt(sum / static_cast<V>(kDim) + static_cast<V>(eps));
    for (Index j = 0; j < kDim; ++j) {
      const V y = static_cast<V>(x[j]) * alpha * static_cast<V>(gamma[j]);
      result.row(i)[j] = bf16(factor == 1 ? double{y} : double{y * static_cast<V>(factor)});
    }
  }
  return result;
}

/// What a wrong kernel may do otherwise than the honest one.
struct Fault {
  Index keys_left_out = 0;
  Index dims = kDim;
  double scale = 1 / std::sqrt(192.0);
  bool rescales_last_tile = true;
  bool sums_in_bf16 = false;
};

/// One pass of online softmax over tiles of 64 keys: logits, lse, o.
Outputs flash(const Matrix& q, const Matrix& k, const Matrix& v, const Fault& fault) {
  const Index all = k.dim(0), keys = all - fault.keys_left_out, tiles = (keys + kTile - 1) / kTile;
  Tensor<double> logits({1, 1, kQueries, all}), lse({1, 1, kQueries}), o({1, kQueries, 1, kValue});
  for (Index s = 0; s < kQueries; ++s) {
    float reference = -HUGE_VALF, sum = 0;
    std::vector<float> total(kValue, 0), logit(kTile);
    for (Index t = keys; t < all; ++t) logits.row(0, 0, s)[t] = -HUGE_VAL;  // not seen
    for (Index tile = 0; tile < tiles; ++tile) {
      const Index from = tile * kTile, to = std::min(keys, from + kTile);
      float largest = reference;
      for (Index t = from; t < to; ++t) {
        float score = 0;
        for (Index j = 0; j < fault.dims; ++j) score += q.row(s)[j] * k.row(t)[j];
        logits.row(0, 0, s)[t] = logit[t - from] = score * static_cast<float>(fault.scale);
        largest = std::fmax(largest, logit[t - from]);
      }
      const float factor = fault.rescales_last_tile || tile + 1 < tiles ? std::exp(reference - largest) : 1;
      sum *= factor;
      for (float& x : total) x *= factor;
      for (Index t = from; t < to; ++t) {
        const float weight = std::exp(logit[t - from] - largest), p = bf16(weight);
        sum += weight;
        for (Index j = 0; j < kValue; ++j) {
          total[j] += p * v.row(t)[j];
          if (fault.sums_in_bf16) total[j] = bf16(total[j]);
        }
      }
      reference = largest;
    }
    lse[s] = reference + std::log(sum);
    for (Index j = 0; j < kValue; ++j) o.row(0, s)[j] = bf16(total[j] / sum);
  }
  return {{"logits", std::move(logits)}, {"lse", std::move(lse)}, {"o", std::move(o)}};
}

/// A kernel's queries, what its later stages make of the queries and keys handed to them, and o of the kernel as a whole.
struct Kernel {
  std::string name;
  Matrix q_hat;
  Outputs staged;
  Tensor<double> whole;
};

class Experiment {
 public:
  Experiment(Index keys, const MutantCase& one, unsigned seed)
      : problem_(problem_of(keys, one, seed)), inputs_(inputs_of(problem_, one)), raw_q_(read("q")), gamma_q_(read("gamma_q")) {
    const Tensor<double> raw_k = read("k"), gamma_k = read("gamma_k"), v = read("v");
    v_ = Matrix({keys, kValue});
    for (Index i = 0; i < v.size(); ++i) v_[i] = static_cast<float>(v[i]);
    q_ = normalised<float>(raw_q_, gamma_q_, 1, kEps), k_ = normalised<float>(raw_k, gamma_k, 1, kEps);
    handed_q_ = normalised<double>(raw_q_, gamma_q_, 1, kEps), handed_k_ = normalised<double>(raw_k, gamma_k, 1, kEps);
    const paths::Plan plan = declared_plan();
    const auto bounds = [&](const std::set<std::string>& names, const Given& given) {
      return error_bounds(problem_, inputs_, plan, PathKind::explicit_form, names, {}, given);
    };
    whole_ = bounds({"q_hat", "o"}, {});
    staged_ = bounds({"logits", "lse", "o"}, {{"q_hat", scalar::kBf16}, {"k_hat", scalar::kBf16}});
    for (auto& [name, exact] : oracle::enclose(problem_, inputs_, {"q_hat", "logits", "lse", "o"})) {
      exact_[name] = {std::move(exact.value), std::move(exact.low), std::move(exact.radius)};
    }
  }

  std::vector<Kernel> kernels() const {
    const Kernel honest = of("honest", {}), zero = like(honest, "all zeros", [](Tensor<double>&o) { o = Tensor<double>(o.shape()); });
    return {honest,
            zero,
            like(honest, "sign flipped",
                 [](Tensor<double>& o) {
                   for (Index i = 0; i < o.size(); ++i) o[i] = -o[i];
                 }),
            like(honest, "mean of v", [this](Tensor<double>& o) { fill_mean(o); }),
            of("last tile dropped", {.keys_left_out = kTile}),
            of("last key dropped", {.keys_left_out = 1}),
            of("scale 1/sqrt(128)", {.scale = 1 / std::sqrt(128.0)}),
            of("rope dims ignored", {.dims = kDim - kRope}),
            of_queries("q eps 1e-2", honest, 1, 1e-2),
            of_queries("q gain dropped", honest, 0.8, kEps),
            of("last rescale missing", {.rescales_last_tile = false}),
            of("pv summed in bf16", {.sums_in_bf16 = true}),
            like(honest, "rows swapped", [](Tensor<double>& o) { std::swap_ranges(o.row(0, 0), o.row(0, 1), o.row(0, 1)); }),
            like(honest, "one element", [](Tensor<double>& o) { o.row(0, 0)[5] = o.row(0, 0)[6]; })};
  }

  /// Verdict of each probe.
  std::map<std::string, verdict::Verdict> judge(const Kernel& kernel) const {
    std::map<std::string, verdict::Verdict> result;
    const auto one = [&](const std::string& probe, const std::string& name, const Tensor<double>& values, const Bounds& bounds) {
      result[probe] = verdict::judge(values, exact_.at(name), {bounds.at(name), {}, 0}).verdict;
    };
    Tensor<double> q({1, kQueries, 1, kDim});
    std::copy(kernel.q_hat.data(), kernel.q_hat.data() + kernel.q_hat.size(), q.data());
    one("q_hat", "q_hat", q, whole_);
    for (const auto& [name, values] : kernel.staged) one(name, name, values, staged_);
    one("o from the inputs", "o", kernel.whole, whole_);
    return result;
  }

 private:
  Tensor<double> read(const char* name) const {
    const tensor::AnyTensor& source = inputs_.at(name);
    Tensor<double> values(source.shape());
    source.read(0, source.size(), values.data());
    return values;
  }

  Kernel of(const std::string& name, const Fault& fault) const {
    return {name, q_, flash(handed_q_, handed_k_, v_, fault), flash(q_, k_, v_, fault).at("o")};
  }
  Kernel of_queries(const std::string& name, const Kernel& honest, double factor, double eps) const {
    const Matrix q = normalised<float>(raw_q_, gamma_q_, factor, eps);
    return {name, q, honest.staged, flash(q, k_, v_, {}).at("o")};
  }
  static Kernel like(const Kernel& honest, const std::string& name, const std::function<void(Tensor<double>&)>& change) {
    Kernel wrong = honest;
    wrong.name = name;
    change(wrong.staged.at("o")), change(wrong.whole);
    return wrong;
  }
  void fill_mean(Tensor<double>& o) const {
    for (Index j = 0; j < kValue; ++j) {
      double sum = 0;
      for (Index t = 0; t < v_.dim(0); ++t) sum += v_.row(t)[j];
      for (Index s = 0; s < kQueries; ++s) o.row(0, s)[j] = bf16(sum / static_cast<double>(v_.dim(0)));
    }
  }

  problem::Problem problem_;
  tensor::TensorMap inputs_;
  Tensor<double> raw_q_, gamma_q_;
  Matrix q_, k_, handed_q_, handed_k_, v_;
  Bounds whole_, staged_;
  verdict::Reference exact_;
};

}  // namespace

const std::vector<MutantCase>& mutant_cases() {
  static const std::vector<MutantCase> cases{{"bland", 1}, {"bland", 3}, {"planted-key", 0}, {"constant", 0}};
  return cases;
}

std::string name_of(const MutantCase& one) { return one.family == "bland" ? fmt::format("bland, logit std {:g}", one.spread) : one.family; }

std::vector<MutantRow> run_mutants(Index keys, unsigned seeds) {
  std::vector<MutantRow> rows;
  for (const MutantCase& one : mutant_cases()) {
    for (unsigned seed = 1; seed <= seeds; ++seed) {
      const Experiment experiment(keys, one, seed);
      const std::vector<Kernel> kernels = experiment.kernels();
      rows.resize(kernels.size());
      for (std::size_t i = 0; i < kernels.size(); ++i) {
        MutantRow& row = rows[i];
        row.kernel = kernels[i].name, ++row.runs;
        std::set<std::string> caught;
        for (const auto& [probe, verdict] : experiment.judge(kernels[i])) {
          if (verdict == verdict::Verdict::violates) caught.insert(probe);
          if (verdict != verdict::Verdict::violates && verdict != verdict::Verdict::within) row.other.insert(verdict::to_string(verdict));
        }
        row.violated += caught.empty() ? 0 : 1;
        std::set<std::string>& always = row.caught[name_of(one)];
        if (seed == 1) always = caught;
        std::erase_if(always, [&](const std::string& probe) { return !caught.contains(probe); });
      }
    }
  }
  return rows;
}

}  // namespace equinorm::bounds
