#include "verdict/wrong_attention.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "scalar/rounding.hpp"

namespace equinorm::verdict {
namespace {

constexpr Index kQueries = 16, kDim = 192, kRope = 64, kValue = 128, kTile = 64;

using Matrix = Tensor<float>;

float bf16(double x) { return static_cast<float>(scalar::round_to(scalar::kBf16, x)); }

/// Rows of normal numbers, not yet normalised.
struct Raw {
  Tensor<double> q{tensor::Shape{kQueries, kDim}}, k;
  Matrix v;
};

Raw draw(const Experiment& experiment) {
  std::mt19937_64 engine(experiment.seed * 1000003ULL + static_cast<unsigned long long>(experiment.keys));
  std::normal_distribution<double> normal;
  Raw raw;
  raw.k = Tensor<double>({experiment.keys, kDim});
  raw.v = Matrix({experiment.keys, kValue});
  for (Index i = 0; i < raw.q.size(); ++i) raw.q[i] = normal(engine);
  for (Index i = 0; i < raw.k.size(); ++i) raw.k[i] = normal(engine);
  for (Index i = 0; i < raw.v.size(); ++i) raw.v[i] = bf16(normal(engine));
  return raw;
}

/// factor x / sqrt(mean x^2 + eps), in bf16.
Matrix normalised(const Tensor<double>& raw, double factor, double eps) {
  Matrix result(raw.shape());
  for (Index i = 0; i < raw.dim(0); ++i) {
    double sum = 0;
    for (Index j = 0; j < kDim; ++j) sum += raw.row(i)[j] * raw.row(i)[j];
    const double alpha = factor / std::sqrt(sum / static_cast<double>(kDim) + eps);
    for (Index j = 0; j < kDim; ++j) result.row(i)[j] = bf16(raw.row(i)[j] * alpha);
  }
  return result;
}

/// What a wrong kernel may do otherwise than the honest one.
struct Kernel {
  Index keys_left_out = 0;
  Index dims = kDim;
  double scale = 1 / std::sqrt(192.0);
  bool rescales_last_tile = true;
  bool sums_in_bf16 = false;
};

/// One pass of online softmax over tiles of 64 keys.
Tensor<double> flash(const Matrix& q, const Matrix& k, const Matrix& v, const Kernel& kernel) {
  const Index keys = k.dim(0) - kernel.keys_left_out, tiles = (keys + kTile - 1) / kTile;
  Tensor<double> out({kQueries, kValue});
  for (Index s = 0; s < kQueries; ++s) {
    float reference = -HUGE_VALF, sum = 0;
    std::vector<float> total(kValue, 0), logits(kTile);
    for (Index tile = 0; tile < tiles; ++tile) {
      const Index from = tile * kTile, to = std::min(keys, from + kTile);
      float largest = reference;
      for (Index t = from; t < to; ++t) {
        float score = 0;
        for (Index j = 0; j < kernel.dims; ++j) score += q.row(s)[j] * k.row(t)[j];
        logits[t - from] = score * static_cast<float>(kernel.scale);
        largest = std::fmax(largest, logits[t - from]);
      }
      const float factor = kernel.rescales_last_tile || tile + 1 < tiles ? std::exp(reference - largest) : 1;
      sum *= factor;
      for (float& x : total) x *= factor;
      for (Index t = from; t < to; ++t) {
        const float weight = std::exp(logits[t - from] - largest), p = bf16(weight);
        sum += weight;
        for (Index j = 0; j < kValue; ++j) {
          total[j] += p * v.row(t)[j];
          if (kernel.sums_in_bf16) total[j] = bf16(total[j]);
        }
      }
      reference = largest;
    }
    for (Index j = 0; j < kValue; ++j) out.row(s)[j] = bf16(total[j] / sum);
  }
  return out;
}

void fill_reference(const Matrix& q, const Matrix& k, const Matrix& v, ExperimentOutputs& outputs) {
  outputs.reference = Tensor<double>({kQueries, kValue});
  outputs.magnitude = Tensor<double>({kQueries, kValue});
  const Index keys = k.dim(0);
  std::vector<double> p(static_cast<std::size_t>(keys));
  for (Index s = 0; s < kQueries; ++s) {
    double sum = 0;
    for (Index t = 0; t < keys; ++t) {
      double score = 0;
      for (Index j = 0; j < kDim; ++j) score += double{q.row(s)[j]} * k.row(t)[j];
      p[t] = std::exp(score / std::sqrt(192.0));
      sum += p[t];
    }
    for (Index t = 0; t < keys; ++t) {
      for (Index j = 0; j < kValue; ++j) {
        outputs.reference.row(s)[j] += p[t] / sum * v.row(t)[j];
        outputs.magnitude.row(s)[j] += p[t] / sum * std::fabs(v.row(t)[j]);
      }
    }
  }
}

/// softmax(q (k / sqrt(192))^T) v with every tensor stored in bf16 and sums in fp32, as a 16-bit tensor library does it.
Tensor<double> naive(const Matrix& q, const Matrix& k, const Matrix& v) {
  const Index keys = k.dim(0);
  Matrix scaled(k.shape());
  for (Index i = 0; i < k.size(); ++i) scaled[i] = bf16(k[i] / std::sqrt(192.0F));
  Tensor<double> out({kQueries, kValue});
  std::vector<float> p(static_cast<std::size_t>(keys));
  for (Index s = 0; s < kQueries; ++s) {
    float largest = -HUGE_VALF, sum = 0;
    for (Index t = 0; t < keys; ++t) {
      float score = 0;
      for (Index j = 0; j < kDim; ++j) score += q.row(s)[j] * scaled.row(t)[j];
      p[t] = bf16(score);
      largest = std::fmax(largest, p[t]);
    }
    for (float& x : p) sum += x = std::exp(x - largest);
    std::vector<float> total(kValue, 0);
    for (Index t = 0; t < keys; ++t) {
      const float weight = bf16(p[t] / sum);
      for (Index j = 0; j < kValue; ++j) total[j] += weight * v.row(t)[j];
    }
    for (Index j = 0; j < kValue; ++j) out.row(s)[j] = bf16(total[j]);
  }
  return out;
}

Tensor<double> changed(Tensor<double> values, const std::function<void(Tensor<double>&)>& change) {
  change(values);
  return values;
}

template <class V>
double largest(const Tensor<V>& values) {
  double result = 0;
  for (Index i = 0; i < values.size(); ++i) result = std::fmax(result, std::fabs(values[i]));
  return result;
}

/// The mean of v, for every query.
Tensor<double> mean_of(const Matrix& v) {
  Tensor<double> out({kQueries, kValue});
  for (Index j = 0; j < kValue; ++j) {
    double sum = 0;
    for (Index t = 0; t < v.dim(0); ++t) sum += v.row(t)[j];
    for (Index s = 0; s < kQueries; ++s) out.row(s)[j] = bf16(sum / static_cast<double>(v.dim(0)));
  }
  return out;
}

}  // namespace

ExperimentOutputs run_experiment(const Experiment& experiment) {
  const Raw raw = draw(experiment);
  const Matrix q = normalised(raw.q, experiment.spread, 1e-6), k = normalised(raw.k, 1, 1e-6);
  const Matrix &v = raw.v, loose_eps = normalised(raw.q, experiment.spread, 1e-2),
               no_gain = normalised(raw.q, 0.8 * experiment.spread, 1e-6);
  ExperimentOutputs outputs;
  fill_reference(q, k, v, outputs);
  outputs.naive = naive(q, k, v);
  outputs.max_query = largest(q), outputs.max_key = largest(k), outputs.max_value = largest(v);
  const Tensor<double> honest = flash(q, k, v, {});
  outputs.honest = {"honest", honest};
  const auto wrong = [&](const std::string& name, Tensor<double> values) { outputs.wrong.push_back({name, std::move(values)}); };
  wrong("all zeros", Tensor<double>({kQueries, kValue}));
  wrong("sign flipped", changed(honest, [](Tensor<double>& o) {
          for (Index i = 0; i < o.size(); ++i) o[i] = -o[i];
        }));
  wrong("mean of v", mean_of(v));
  wrong("last tile dropped", flash(q, k, v, {.keys_left_out = kTile}));
  wrong("last key dropped", flash(q, k, v, {.keys_left_out = 1}));
  wrong("scale 1/sqrt(128)", flash(q, k, v, {.scale = 1 / std::sqrt(128.0)}));
  wrong("rope dims ignored", flash(q, k, v, {.dims = kDim - kRope}));
  wrong("q eps 1e-2", flash(loose_eps, k, v, {}));
  wrong("q gain dropped", flash(no_gain, k, v, {}));
  wrong("last rescale missing", flash(q, k, v, {.rescales_last_tile = false}));
  wrong("pv summed in bf16", flash(q, k, v, {.sums_in_bf16 = true}));
  wrong("rows swapped", changed(honest, [](Tensor<double>& o) { std::swap_ranges(o.row(0), o.row(1), o.row(1)); }));
  wrong("one element", changed(honest, [](Tensor<double>& o) { o.row(0)[5] = o.row(0)[6]; }));
  return outputs;
}

int Tally::killed_always() const { return static_cast<int>(std::count(wrong_rejected.begin(), wrong_rejected.end(), runs)); }

int Tally::killed_once() const {
  return static_cast<int>(std::count_if(wrong_rejected.begin(), wrong_rejected.end(), [](int n) { return n > 0; }));
}

std::vector<Tally> tally_rules(Index keys, const std::vector<double>& spreads, unsigned seeds, std::vector<std::string>* names) {
  std::vector<Tally> tallies;
  for (const Rule& rule : rules()) tallies.push_back({std::string(rule.id), 0, 0, std::vector<int>(13, 0)});
  for (const double spread : spreads) {
    for (unsigned seed = 1; seed <= seeds; ++seed) {
      const ExperimentOutputs outputs = run_experiment({keys, spread, seed});
      RuleCase about;
      about.keys = keys, about.key_dim = kDim, about.scale = 1 / std::sqrt(192.0);
      about.max_query = outputs.max_query, about.max_key = outputs.max_key, about.max_value = outputs.max_value;
      about.naive = &outputs.naive, about.magnitude = &outputs.magnitude;
      for (std::size_t r = 0; r < tallies.size(); ++r) {
        const auto rejects = [&](const Tensor<double>& values) {
          return apply_rule(rules()[r], values, outputs.reference, about).outcome == RuleOutcome::rejects ? 1 : 0;
        };
        ++tallies[r].runs;
        tallies[r].honest_rejected += rejects(outputs.honest.values);
        for (std::size_t w = 0; w < outputs.wrong.size(); ++w) tallies[r].wrong_rejected[w] += rejects(outputs.wrong[w].values);
      }
      if (names != nullptr && names->empty()) {
        for (const NamedOutput& wrong : outputs.wrong) names->push_back(wrong.name);
      }
    }
  }
  return tallies;
}

}  // namespace equinorm::verdict
