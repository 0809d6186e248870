#include "search/moves.hpp"

#include <algorithm>
#include <cmath>

#include "scalar/rounding.hpp"

namespace equinorm::search {
namespace {

using problem::Role;
using tensor::AnyTensor;
using tensor::Index;
using tensor::TensorMap;

std::vector<double> values_of(const AnyTensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  tensor.read(0, tensor.size(), values.data());
  return values;
}

/// 2^k, |k| <= most, k != 0.
double power_of_two(int most, Draws& draws) {
  const int k = 1 + static_cast<int>(draws.below(most));
  return std::ldexp(1.0, draws.chance(0.5) ? k : -k);
}

/// The distance from x to its neighbour away from 0.
double ulp_of(const scalar::Format& format, const scalar::FormatLimits& limits, double x) {
  if (std::fabs(x) < limits.smallest_normal) return limits.smallest_subnormal;
  return std::ldexp(1.0, std::ilogb(x) - format.precision + 1);
}

void sort_by_size(double* row, Index width, bool rising) {
  std::stable_sort(row, row + width,
                   [&](double a, double b) { return rising ? std::fabs(a) < std::fabs(b) : std::fabs(b) < std::fabs(a); });
}

}  // namespace

Moves::Moves(const problem::Problem& problem, scalar::Format format) : problem_(problem), format_(format), limits_(scalar::limits(format)) {
  for (const problem::TensorSpec& spec : problem::input_tensors(problem, 1)) {
    if (spec.role == Role::rope_table || spec.role == Role::positions || tensor::element_count(spec.shape) == 0) continue;
    names_.push_back(spec.name);
  }
}

TensorMap Moves::changed(const TensorMap& inputs, Draws& draws) const {
  TensorMap result = inputs;
  int moves = 1;
  while (moves < 8 && draws.chance(0.4)) ++moves;
  for (int i = 0; i < moves; ++i) move_once(result, draws);
  return result;
}

void Moves::move_once(TensorMap& inputs, Draws& draws) const {
  if (problem_.is_mla() && draws.chance(0.04) && align_latent(inputs, draws)) return;
  const std::string& name = names_[static_cast<std::size_t>(draws.below(static_cast<Index>(names_.size())))];
  const auto found = inputs.find(name);
  if (found == inputs.end()) return;
  const Index width = found->second.shape().back();
  Values values = values_of(found->second);
  if (draws.chance(0.7)) {
    move_element(values, width, draws);
  } else {
    move_row(inputs, values, width, draws);
  }
  store(inputs, name, values);
}

void Moves::move_element(Values& values, Index width, Draws& draws) const {
  const auto count = static_cast<Index>(values.size());
  const Index at = draws.below(count);
  double& x = values[static_cast<std::size_t>(at)];
  const double ulp = ulp_of(format_, limits_, x);
  switch (draws.below(8)) {
    case 0:
      x = -x;
      return;
    case 1:
      x += ulp;
      return;
    case 2:
      x -= ulp;
      return;
    case 3:
      x *= power_of_two(draws.chance(0.1) ? 20 : 3, draws);
      return;
    case 4:
      x = 0;
      return;
    case 5:  // every bit of the significand set, or the last one alone: products and sums of it are seldom exact
      if (x == 0) x = 1;
      x = std::copysign(
          std::ldexp(draws.chance(0.5) ? 2 - std::ldexp(1.0, 1 - format_.precision) : 1 + std::ldexp(1.0, 1 - format_.precision),
                     std::ilogb(x)),
          x);
      return;
    case 6:
      x *= 0.5 + 1.5 * draws.uniform();
      return;
    default: {
      const Index first = at - at % width;
      x = -values[static_cast<std::size_t>(first + draws.below(width))];
    }
  }
}

void Moves::move_row(const TensorMap& inputs, Values& values, Index width, Draws& draws) const {
  double* const row = values.data() + draws.below(static_cast<Index>(values.size()) / width) * width;
  const auto each = [&](const auto& body) {
    for (Index i = 0; i < width; ++i) row[i] = body(i);
  };
  switch (draws.below(8)) {
    case 0: {
      const double factor = power_of_two(draws.chance(0.2) ? 30 : 4, draws);
      return each([&](Index i) { return row[i] * factor; });
    }
    case 1: {
      const double factor = 0.5 + draws.uniform();
      return each([&](Index i) { return row[i] * factor; });
    }
    case 2:
    case 3: {
      const Values other = other_row(inputs, width, draws);
      if (other.empty()) return;
      const double sign = draws.chance(0.25) ? -1 : 1;
      return each([&](Index i) { return sign * other[static_cast<std::size_t>(i)]; });
    }
    case 4: {
      const double sign = draws.chance(0.5) ? -1 : 1;
      return each([&](Index i) { return sign * std::fabs(row[i]); });
    }
    case 5:
      return sort_by_size(row, width, draws.chance(0.5));
    case 6:
      return each([&](Index i) { return i % 2 == 0 ? std::fabs(row[i]) : -std::fabs(row[i]); });
    default:  // neighbours that cancel but for an ulp now and then
      for (Index i = 0; i + 1 < width; i += 2) row[i + 1] = -row[i] + (draws.chance(0.2) ? ulp_of(format_, limits_, row[i]) : 0);
  }
}

Moves::Values Moves::other_row(const TensorMap& inputs, Index width, Draws& draws) const {
  std::vector<const AnyTensor*> candidates;
  for (const std::string& name : names_) {
    const auto found = inputs.find(name);
    if (found != inputs.end() && found->second.shape().back() == width) candidates.push_back(&found->second);
  }
  if (candidates.empty()) return {};
  const AnyTensor& source = *candidates[static_cast<std::size_t>(draws.below(static_cast<Index>(candidates.size())))];
  Values row(static_cast<std::size_t>(width));
  source.read(draws.below(source.size() / width) * width, width, row.data());
  return row;
}

bool Moves::align_latent(TensorMap& inputs, Draws& draws) const {
  const auto c = inputs.find("c"), query = inputs.find("q_content"), weight = inputs.find("w_k");
  if (c == inputs.end() || query == inputs.end() || weight == inputs.end() || c->second.size() == 0 || query->second.size() == 0)
    return false;
  const Index d = problem_.content_dim, r = problem_.latent;
  const Index q_row = draws.below(query->second.size() / d), group = problem_.group_of(q_row % problem_.heads);
  const Index token = draws.below(c->second.size() / r);
  Values q(static_cast<std::size_t>(d)), w(static_cast<std::size_t>(r * d)), all = values_of(c->second);
  query->second.read(q_row * d, d, q.data());
  weight->second.read(group * r * d, r * d, w.data());
  const double factor = (draws.chance(0.5) ? -1 : 1) * std::ldexp(1.0, static_cast<int>(draws.below(5)) - 2);
  for (Index i = 0; i < r; ++i) {
    double sum = 0;
    for (Index j = 0; j < d; ++j) sum += w[static_cast<std::size_t>(i * d + j)] * q[static_cast<std::size_t>(j)];
    all[static_cast<std::size_t>(token * r + i)] = factor * sum;
  }
  store(inputs, "c", all);
  return true;
}

void Moves::store(TensorMap& inputs, const std::string& name, const Values& values) const {
  AnyTensor& tensor = inputs.at(name);
  AnyTensor changed(tensor.dtype(), tensor.shape());
  Values kept = values;
  for (double& x : kept) x = std::clamp(scalar::round_to(format_, x), -limits_.largest, limits_.largest);
  changed.write(0, changed.size(), kept.data());
  tensor = std::move(changed);
}

}  // namespace equinorm::search
