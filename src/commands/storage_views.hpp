// A problem's inputs as given and as narrower storage formats hold them, each with the exact values that belong to them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"

namespace equinorm::commands {

struct StorageView {
  tensor::TensorMap inputs;
  verdict::Reference reference;
};

/// Made on demand and kept: inputs that a format holds exactly share the given view.
class StorageViews {
 public:
  StorageViews(const problem::Problem& problem, StorageView given, std::set<std::string> names)
      : problem_(problem), given_(std::move(given)), names_(std::move(names)) {}

  const problem::Problem& problem() const { return problem_; }
  const StorageView& given() const { return given_; }
  /// The inputs rounded to the precision's storage format (not real:BITS).
  const StorageView& stored(const problem::Precision& precision);

 private:
  const problem::Problem& problem_;
  StorageView given_;
  std::set<std::string> names_;
  std::map<std::pair<int, bool>, std::optional<StorageView>> stored_;  ///< by format kind and flushing; none: as given
};

}  // namespace equinorm::commands
