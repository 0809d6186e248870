// The five study kernels with inputs, launches and references in binary64.
#pragma once

#include <algorithm>
#include <functional>

#include "vgpu/vgpu_support.hpp"

namespace vgpu_tests {

/// One launch: its report, its main output, and what the output should be, with the error allowed for each element.
struct Study {
  LaunchReport report;
  std::vector<float> out;
  std::vector<double> expected, allowed;
  std::vector<ShadowValue> shadow;

  /// Largest |out - expected| / allowed; infinite where out is no number.
  double worst() const {
    double largest = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double error = std::fabs(out[i] - expected[i]) / allowed[i];
      if (!(error <= largest)) largest = error == error ? error : HUGE_VAL;
    }
    return largest;
  }
};

constexpr double kUnit32 = 0x1p-24;

inline Study run_rmsnorm(const Module& module, const Options& options = {}, int rows = 3, int dim = 300) {
  const auto x = random_floats(static_cast<std::size_t>(rows * dim), 1), weight = random_floats(static_cast<std::size_t>(dim), 2);
  const float eps = 1e-6f;
  Device device;
  const auto px = device.upload(std::span<const float>(x)), pw = device.upload(std::span<const float>(weight));
  const auto out = device.allocate(4 * x.size());
  Grid grid;
  grid.blocks = {static_cast<std::uint32_t>(rows), 1, 1};
  grid.threads = {128, 1, 1};
  Study study;
  study.report = device.launch(
      module, "rmsnorm", grid,
      std::vector{Argument::pointer(px), Argument::pointer(pw), Argument::pointer(out), Argument::of(dim), Argument::of(eps)}, options);
  study.out = device.download<float>(out, x.size());
  for (int r = 0; r < rows; ++r) {
    double sum = 0;
    for (int i = 0; i < dim; ++i)
      sum += static_cast<double>(x[static_cast<std::size_t>(r * dim + i)]) * x[static_cast<std::size_t>(r * dim + i)];
    for (int i = 0; i < dim; ++i) {
      const auto at = static_cast<std::size_t>(r * dim + i);
      study.expected.push_back(x[at] / std::sqrt(sum / dim + static_cast<double>(eps)) * weight[static_cast<std::size_t>(i)]);
      // A thread adds 3 squares, then 5 + 3 sums, half of whose relative error the root keeps; rsqrt 2 ulp; five more roundings.
      study.allowed.push_back(16 * kUnit32 * std::fabs(study.expected.back()) + 1e-40);
    }
  }
  for (std::size_t i = 0; i < x.size(); ++i) study.shadow.push_back(device.shadow(out + 4 * i, Type::f32));
  return study;
}

/// softmax(scale weight_k <q, k_row>) v in binary64. rows of `depth` numbers; v has `width` columns.
inline std::vector<double> attend(const std::vector<double>& q, const std::vector<std::vector<double>>& k,
                                  const std::vector<std::vector<double>>& v, double scale) {
  std::vector<double> score;
  for (const auto& row : k) {
    double dot = 0;
    for (std::size_t i = 0; i < q.size(); ++i) dot += q[i] * row[i];
    score.push_back(dot * scale);
  }
  const double largest = *std::max_element(score.begin(), score.end());
  double total = 0;
  std::vector<double> out(v[0].size());
  for (std::size_t s = 0; s < score.size(); ++s) {
    const double p = std::exp(score[s] - largest);
    total += p;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += p * v[s][i];
  }
  for (double& x : out) x /= total;
  return out;
}

inline Study run_decode(const Module& module, const Options& options = {}, int heads = 2, int keys = 150) {
  constexpr int kRank = 512;
  const auto count = static_cast<std::size_t>(keys);
  const auto q = random_floats(static_cast<std::size_t>(heads * kRank), 3), cache = random_floats(count * kRank, 4);
  auto alpha = random_floats(count, 5);
  // Later keys weigh more, so that the largest score rises from tile to tile.
  for (std::size_t s = 0; s < count; ++s) alpha[s] = (0.5f + std::fabs(alpha[s])) * (1.0f + static_cast<float>(s) / 50.0f);
  const float scale = 0.03f;
  Device device;
  const auto pq = device.upload(std::span<const float>(q)), pc = device.upload(std::span<const float>(cache)),
             pa = device.upload(std::span<const float>(alpha));
  const auto out = device.allocate(4 * q.size());
  Grid grid;
  grid.blocks = {static_cast<std::uint32_t>(heads), 1, 1};
  grid.threads = {256, 1, 1};
  Study study;
  study.report = device.launch(module, "absorbed_decode", grid,
                               std::vector{Argument::pointer(pq), Argument::pointer(pc), Argument::pointer(pa), Argument::pointer(out),
                                           Argument::of(keys), Argument::of(scale)},
                               options);
  study.out = device.download<float>(out, q.size());
  std::vector<std::vector<double>> rows, keys_of;
  for (int s = 0; s < keys; ++s) {
    rows.emplace_back(cache.begin() + s * kRank, cache.begin() + (s + 1) * kRank);
    keys_of.push_back(rows.back());
    for (double& x : keys_of.back()) x *= alpha[static_cast<std::size_t>(s)];
  }
  for (int h = 0; h < heads; ++h)
    for (const double x : attend({q.begin() + h * kRank, q.begin() + (h + 1) * kRank}, keys_of, rows, static_cast<double>(scale))) {
      study.expected.push_back(x);
      // Scores are below 20 and have absolute errors of about 1e-6, which p inherits relatively; values are of size 1.
      study.allowed.push_back(1e-5);
    }
  for (std::size_t i = 0; i < q.size(); ++i) study.shadow.push_back(device.shadow(out + 4 * i, Type::f32));
  return study;
}

inline Study run_paged(const Module& module, const Options& options = {}, std::vector<int> lengths = {37, 5}) {
  constexpr int kDim = 128, kPage = 16, kHeads = 3, kMaxPages = 4, kSlots = 12;
  const auto batch = lengths.size();
  const auto q = random_bf16(batch * kHeads * kDim, 6), k = random_bf16(kSlots * kPage * kDim, 7),
             v = random_bf16(kSlots * kPage * kDim, 8);
  const auto gamma_q = random_floats(kDim, 9), gamma_k = random_floats(kDim, 10);
  std::vector<int> table(batch * kMaxPages);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<int>((5 * i + 3) % kSlots);
  const float scale = 0.09f, eps = 1e-6f;
  Device device;
  const auto pq = device.upload(std::span<const std::uint16_t>(q)), pk = device.upload(std::span<const std::uint16_t>(k)),
             pv = device.upload(std::span<const std::uint16_t>(v)), pgq = device.upload(std::span<const float>(gamma_q)),
             pgk = device.upload(std::span<const float>(gamma_k)), pt = device.upload(std::span<const int>(table)),
             pl = device.upload(std::span<const int>(lengths));
  const auto out = device.allocate(2 * q.size());
  Grid grid;
  grid.blocks = {kHeads, static_cast<std::uint32_t>(batch), 1};
  grid.threads = {128, 1, 1};
  Study study;
  study.report = device.launch(module, "paged_bf16", grid,
                               std::vector{Argument::pointer(pq), Argument::pointer(pk), Argument::pointer(pv), Argument::pointer(pgq),
                                           Argument::pointer(pgk), Argument::pointer(pt), Argument::pointer(pl), Argument::pointer(out),
                                           Argument::of(kHeads), Argument::of(kMaxPages), Argument::of(scale), Argument::of(eps)},
                               options);
  for (const std::uint16_t x : device.download<std::uint16_t>(out, q.size())) study.out.push_back(from_bf16(x));
  const auto normalised = [&](const std::uint16_t* row, const std::vector<float>& gamma) {
    std::vector<double> x;
    double sum = 0;
    for (int i = 0; i < kDim; ++i) x.push_back(from_bf16(row[i])), sum += x.back() * x.back();
    for (int i = 0; i < kDim; ++i)
      x[static_cast<std::size_t>(i)] *= gamma[static_cast<std::size_t>(i)] / std::sqrt(sum / kDim + static_cast<double>(eps));
    return x;
  };
  for (std::size_t b = 0; b < batch; ++b)
    for (int h = 0; h < kHeads; ++h) {
      std::vector<std::vector<double>> keys, values;
      for (int s = 0; s < lengths[b]; ++s) {
        const auto slot = static_cast<std::size_t>(table[b * kMaxPages + static_cast<std::size_t>(s / kPage)] * kPage + s % kPage);
        keys.push_back(normalised(&k[slot * kDim], gamma_k));
        values.emplace_back();
        for (int i = 0; i < kDim; ++i) values.back().push_back(from_bf16(v[slot * kDim + static_cast<std::size_t>(i)]));
      }
      for (const double x :
           attend(normalised(&q[(b * kHeads + static_cast<std::size_t>(h)) * kDim], gamma_q), keys, values, static_cast<double>(scale))) {
        study.expected.push_back(x);
        study.allowed.push_back(0x1p-8 * std::fabs(x) + 4e-6);  // half an ulp of bf16 at the end
      }
    }
  for (std::size_t i = 0; i < q.size(); ++i) study.shadow.push_back(device.shadow(out + 2 * i, Type::bf16));
  return study;
}

inline Study run_mma(const Module& module, const Options& options = {}, int keys = 75, int heads = 2) {
  constexpr int kRows = 16, kDim = 64;
  const int padded = (keys + 31) / 32 * 32;
  const auto per_head = static_cast<std::size_t>(padded * kDim);
  const auto q = random_bf16(static_cast<std::size_t>(heads * kRows * kDim), 11),
             k = random_bf16(static_cast<std::size_t>(heads) * per_head, 12),
             v = random_bf16(static_cast<std::size_t>(heads) * per_head, 13);
  const float scale_log2 = 0.18f;
  Device device;
  const auto pq = device.upload(std::span<const std::uint16_t>(q)), pk = device.upload(std::span<const std::uint16_t>(k)),
             pv = device.upload(std::span<const std::uint16_t>(v));
  const auto out = device.allocate(4 * q.size());
  Grid grid;
  grid.blocks = {static_cast<std::uint32_t>(heads), 1, 1};
  grid.threads = {32, 1, 1};
  grid.dynamic_shared = (16 + 4 * 32) * 72 * 2;
  Study study;
  study.report = device.launch(module, "mma_bf16", grid,
                               std::vector{Argument::pointer(pq), Argument::pointer(pk), Argument::pointer(pv), Argument::pointer(out),
                                           Argument::of(keys), Argument::of(padded), Argument::of(scale_log2)},
                               options);
  study.out = device.download<float>(out, q.size());
  const auto row = [](const std::vector<std::uint16_t>& x, std::size_t at) {
    std::vector<double> values;
    for (std::size_t i = 0; i < kDim; ++i) values.push_back(from_bf16(x[at * kDim + i]));
    return values;
  };
  for (int h = 0; h < heads; ++h) {
    std::vector<std::vector<double>> ks, vs;
    for (int s = 0; s < keys; ++s)
      ks.push_back(row(k, static_cast<std::size_t>(h * padded + s))), vs.push_back(row(v, static_cast<std::size_t>(h * padded + s)));
    for (int r = 0; r < kRows; ++r)
      for (const double x :
           attend(row(q, static_cast<std::size_t>(h * kRows + r)), ks, vs, static_cast<double>(scale_log2) * std::log(2.0))) {
        study.expected.push_back(x);
        study.allowed.push_back(8e-3);  // p rounded to bf16: 2^-9 of each term, and |v| up to 4
      }
  }
  for (std::size_t i = 0; i < q.size(); ++i) study.shadow.push_back(device.shadow(out + 4 * i, Type::f32));
  return study;
}

inline Study run_combine(const Module& module, const Options& options = {}, int splits = 5, int heads = 3) {
  constexpr int kDim = 128;
  const auto partial = random_floats(static_cast<std::size_t>(splits * heads * kDim), 14);
  auto lse = random_floats(static_cast<std::size_t>(splits * heads), 15, 3.0f);
  lse[1] = -INFINITY;
  Device device;
  const auto pp = device.upload(std::span<const float>(partial)), pl = device.upload(std::span<const float>(lse));
  const auto out = device.allocate(static_cast<std::uint64_t>(4 * heads * kDim)),
             lse_out = device.allocate(static_cast<std::uint64_t>(4 * heads));
  const std::vector<std::uint32_t> zeros(3);
  const auto counters = device.upload(std::span<const std::uint32_t>(zeros));
  const auto summary = device.allocate(8);
  Grid grid;
  grid.blocks = {static_cast<std::uint32_t>(heads), 2, 1};
  grid.threads = {64, 1, 1};
  Study study;
  study.report = device.launch(module, "combine", grid,
                               std::vector{Argument::pointer(pp), Argument::pointer(pl), Argument::pointer(out), Argument::pointer(lse_out),
                                           Argument::pointer(counters), Argument::pointer(counters + 4), Argument::pointer(counters + 8),
                                           Argument::pointer(summary), Argument::of(splits), Argument::of(heads)},
                               options);
  study.out = device.download<float>(out, static_cast<std::size_t>(heads * kDim));
  double largest_out = 0;
  for (int h = 0; h < heads; ++h) {
    double largest = -INFINITY, sum = 0;
    for (int s = 0; s < splits; ++s) largest = std::max(largest, static_cast<double>(lse[static_cast<std::size_t>(s * heads + h)]));
    std::vector<double> x(kDim);
    for (int s = 0; s < splits; ++s) {
      const double w = std::exp2(lse[static_cast<std::size_t>(s * heads + h)] - largest);
      sum += w;
      for (int i = 0; i < kDim; ++i) x[static_cast<std::size_t>(i)] += w * partial[static_cast<std::size_t>((s * heads + h) * kDim + i)];
    }
    for (double& one : x) {
      one /= sum;
      largest_out = std::max(largest_out, std::fabs(one));
      study.expected.push_back(one);
      study.allowed.push_back(2e-6);
    }
    study.out.push_back(device.download<float>(lse_out + 4 * static_cast<std::uint64_t>(h), 1)[0]);
  }
  for (int h = 0; h < heads; ++h) {
    double sum = 0, largest = -INFINITY;
    for (int s = 0; s < splits; ++s) largest = std::max(largest, static_cast<double>(lse[static_cast<std::size_t>(s * heads + h)]));
    for (int s = 0; s < splits; ++s) sum += std::exp2(lse[static_cast<std::size_t>(s * heads + h)] - largest);
    study.expected.push_back(largest + std::log2(sum));
    study.allowed.push_back(2e-6);
  }
  for (const float x : device.download<float>(summary, 2)) study.out.push_back(x);
  study.expected.push_back(largest_out);
  study.allowed.push_back(2e-6);
  study.expected.push_back(2.0 * (splits * heads - 1));  // live splits, seen by two blocks a head
  study.allowed.push_back(1e-9);
  for (std::size_t i = 0; i < static_cast<std::size_t>(heads * kDim); ++i) study.shadow.push_back(device.shadow(out + 4 * i, Type::f32));
  return study;
}

struct StudyKernel {
  const char* name;
  Study (*run)(const Module&, const Options&);
};
inline const StudyKernel kStudies[] = {{"rmsnorm", [](const Module& m, const Options& o) { return run_rmsnorm(m, o); }},
                                       {"absorbed_decode", [](const Module& m, const Options& o) { return run_decode(m, o); }},
                                       {"paged_bf16", [](const Module& m, const Options& o) { return run_paged(m, o); }},
                                       {"mma_bf16", [](const Module& m, const Options& o) { return run_mma(m, o); }},
                                       {"combine", [](const Module& m, const Options& o) { return run_combine(m, o); }}};

}  // namespace vgpu_tests
