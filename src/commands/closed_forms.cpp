#include "commands/closed_forms.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "paths/scale_value.hpp"

namespace equinorm::commands {
namespace {

using problem::Problem;
using tensor::Index;
using tensor::Shape;
using tensor::Tensor;

/// Fewer elements than these fit a relation with a free number too easily.
constexpr Index kEnough = 8;

struct NamedFactor {
  double value;
  std::string name;
};

std::vector<NamedFactor> named_factors(const Problem& p) {
  std::vector<NamedFactor> all{{std::numbers::log2e, "log2(e)"}, {std::numbers::ln2, "ln(2)"}, {-1, "-1"}, {2, "2"}, {0.5, "1/2"}};
  const auto add = [&](double n, const std::string& name) {
    if (n <= 1) return;
    all.push_back({std::sqrt(n), fmt::format("sqrt({})", name)});
    all.push_back({1 / std::sqrt(n), fmt::format("1/sqrt({})", name)});
  };
  const auto count = [&](Index n, const char* name) { add(static_cast<double>(n), fmt::format("{} = {}", name, n)); };
  count(p.key_dim(), p.is_mla() ? "d_c + d_r" : "d");
  if (p.is_mla()) count(p.content_dim, "d_c"), count(p.latent, "r"), count(p.latent + p.rope_dim, "r + d_r");
  if (p.rope_dim > 0) count(p.rope_dim, "d_r");
  const double scale = scalar::to_double(paths::scale_value(problem::softmax_scale(p), 64));
  all.push_back({scale, "the scale"});
  all.push_back({1 / scale, "1 / the scale"});
  for (const auto& [n, name] : {std::pair{p.heads, "heads"}, {p.groups, "groups"}, {p.precision.splits, "splits"}}) {
    if (n < 3) continue;
    all.push_back({static_cast<double>(n), fmt::format("{} = {}", name, n)});
    all.push_back({1 / static_cast<double>(n), fmt::format("1/{}, {} = {}", n, name, n)});
  }
  return all;
}

class ClosedForms {
 public:
  ClosedForms(const Problem& problem, const JudgedOutput& output, const verdict::Reference& exact)
      : problem_(problem), output_(output), all_(exact), exact_(exact.at(output.name).value) {}

  std::vector<verdict::FaultRow> run() {
    if (exact_.shape() != output_.values.shape()) return {};
    const std::string& name = output_.name;
    factor();
    if (name == "lse" || name == "logits") offset();
    axes();
    pairs();
    if (name == "alpha_k" || name == "alpha_q") {
      try_map("inverse", name + " holds the norm S itself, not 1/S", [](double x) { return 1 / x; });
      try_map("squared", name + " holds 1/S^2, not 1/S", [](double x) { return x * x; });
    }
    if (name == "o_gated") try_other("o", "gate-left-out", "o_gated is o: the gate was not applied");
    if (name == "q_tilde") alpha_q_inside();
    return std::move(rows_);
  }

 private:
  void consider(const std::string& fault, const std::string& sentence, const Tensor<double>& values, double grown = 1) {
    if (const std::optional<double> distance = distance_to(output_, values, grown))
      rows_.push_back({fault, sentence, output_.name, *distance});
  }

  template <class Map>
  Tensor<double> mapped(Map map) const {
    Tensor<double> values(exact_.shape());
    for (Index i = 0; i < values.size(); ++i) values[i] = std::isfinite(exact_[i]) ? map(exact_[i]) : exact_[i];
    return values;
  }
  template <class Map>
  void try_map(const std::string& fault, const std::string& sentence, Map map) {
    consider(fault, sentence, mapped(map));
  }

  /// The element that says most of the relation: `precision(i)` is large where its bound is small. -1: too few are judged at all.
  Index clearest(const std::function<double(Index)>& precision) const {
    Index best = -1, judged = 0;
    double most = 0;
    for (Index i = 0; i < exact_.size(); ++i) {
      if (!std::isfinite(exact_[i]) || !std::isfinite(output_.values[i]) || !std::isfinite(output_.bound[i])) continue;
      const double here = precision(i);
      if (here > 0) ++judged;
      if (here > most) most = here, best = i;
    }
    return judged >= kEnough ? best : -1;
  }

  void factor() {
    const Index at = clearest([&](Index i) { return std::fabs(exact_[i]) / (output_.bound[i] + 0x1p-60 * std::fabs(exact_[i])); });
    if (at < 0) return;
    const double measured = output_.values[at] / exact_[at];
    if (!std::isfinite(measured) || measured == 0) return;
    std::vector<std::string> names;
    std::optional<double> distance;
    for (const NamedFactor& factor : named_factors(problem_)) {
      const std::optional<double> here =
          distance_to(output_, mapped([&](double x) { return factor.value * x; }), std::fmax(1, std::fabs(factor.value)));
      if (!here) continue;
      const std::string value = fmt::format("{:.6g}", factor.value);
      names.push_back(factor.name == value ? value : fmt::format("{} = {}", factor.name, value));
      distance = std::min(distance.value_or(1), *here);
    }
    if (!names.empty()) {
      std::string sentence = fmt::format("{} is the exact value times {} everywhere", output_.name, fmt::join(names, ", or "));
      rows_.push_back({"factor", sentence + lse_hint(measured), output_.name, *distance});
      return;
    }
    consider("factor", fmt::format("{} is the exact value times {:.6g} everywhere", output_.name, measured),
             mapped([&](double x) { return measured * x; }), std::fmax(1, std::fabs(measured)));
  }

  std::string lse_hint(double factor) const {
    if (output_.name != "lse") return "";
    const auto near = [&](double wanted) { return std::fabs(factor - wanted) < 1e-3; };
    if (near(std::numbers::log2e)) return ": lse is in base 2; declare \"lse_base\": \"2\", or multiply by ln(2)";
    return near(std::numbers::ln2) ? ": lse is in base e; declare \"lse_base\": \"e\"" : "";
  }

  void offset() {
    const Index at = clearest([&](Index i) { return 1 / (output_.bound[i] + 0x1p-60 * std::fabs(exact_[i])); });
    if (at < 0) return;
    const double measured = output_.values[at] - exact_[at];
    try_map("offset", fmt::format("{} is the exact value plus {:.6g} everywhere", output_.name, measured),
            [&](double x) { return x + measured; });
  }

  /// [a,b,c,...] written where [a,c,b,...] is wanted.
  void axes() {
    const Shape& shape = exact_.shape();
    if (shape.size() < 3 || shape[1] < 2 || shape[2] < 2) return;
    Index inner = 1;
    for (std::size_t axis = 3; axis < shape.size(); ++axis) inner *= shape[axis];
    Tensor<double> values(shape);
    for (Index a = 0; a < shape[0]; ++a) {
      for (Index b = 0; b < shape[1]; ++b) {
        for (Index c = 0; c < shape[2]; ++c) {
          for (Index j = 0; j < inner; ++j)
            values[((a * shape[2] + c) * shape[1] + b) * inner + j] = exact_[((a * shape[1] + b) * shape[2] + c) * inner + j];
        }
      }
    }
    Shape swapped = shape;
    std::swap(swapped[1], swapped[2]);
    consider("axes-exchanged",
             fmt::format("{} lies in memory as {}, its second and third axis exchanged; wanted is {}", output_.name,
                         tensor::to_string(swapped), tensor::to_string(shape)),
             values);
  }

  /// Rotated pairs (2i, 2i+1) stored as (i, i + n/2), or the reverse.
  void pairs() {
    const std::string& name = output_.name;
    const bool rope_alone = name == "k_rope_cached" || name == "q_rope_hat", whole = name == "k_hat" || name == "q_hat";
    const Index n = problem_.rotated_dim(), width = exact_.shape().back();
    if (n < 4 || !(rope_alone || whole)) return;
    const bool at_end = problem_.is_mla() || problem_.rope.part == problem::RopePart::last;
    const Index first = rope_alone || !at_end ? 0 : width - n;
    const bool interleaved = problem_.rope.layout == problem::RopeLayout::interleaved;
    Tensor<double> values = exact_;
    for (Index row = 0; row < exact_.size(); row += width) {
      for (Index i = 0; i < n / 2; ++i) {
        for (Index part = 0; part < 2; ++part) {
          const Index alternating = row + first + 2 * i + part, halves = row + first + i + part * n / 2;
          values[interleaved ? halves : alternating] = exact_[interleaved ? alternating : halves];
        }
      }
    }
    consider("pairs-regrouped",
             fmt::format("{} is rotated rightly, but its pairs are stored {}; wanted is rope.layout {}", name,
                         interleaved ? "in two halves" : "side by side", problem::to_string(problem_.rope.layout)),
             values);
  }

  void try_other(const std::string& other, const std::string& fault, const std::string& sentence) {
    const auto found = all_.find(other);
    if (found != all_.end() && found->second.value.shape() == exact_.shape()) consider(fault, sentence, found->second.value);
  }

  void alpha_q_inside() {
    const auto found = all_.find("alpha_q");
    if (found == all_.end()) return;
    const Tensor<double>& alpha = found->second.value;
    const Index width = exact_.shape().back();
    Tensor<double> values(exact_.shape());
    for (Index i = 0; i < values.size(); ++i) values[i] = exact_[i] * alpha[i / width];
    consider("alpha-q-inside", "q_tilde holds alpha_q already; wanted is q_tilde without it", values);
  }

  const Problem& problem_;
  const JudgedOutput& output_;
  const verdict::Reference& all_;
  const Tensor<double>& exact_;
  std::vector<verdict::FaultRow> rows_;
};

}  // namespace

std::vector<verdict::FaultRow> closed_forms(const Problem& problem, const JudgedOutput& output, const verdict::Reference& exact) {
  return ClosedForms(problem, output, exact).run();
}

}  // namespace equinorm::commands
