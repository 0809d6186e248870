// The acceptance rules that public projects judge attention outputs by, each as published, to be shown beside our own verdict. None of them
// decides anything here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scalar/format.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::verdict {

using tensor::Index;
using tensor::Tensor;

/// What a rule may ask for besides the output and the exact values. A rule that lacks something it needs is not applicable.
struct RuleCase {
  std::string tensor = "o";                     ///< name of the output
  scalar::Format format = scalar::kBf16;        ///< in which the output is stored
  scalar::Format input_format = scalar::kBf16;  ///< of q, k and v
  Index keys = 0;                               ///< longest context
  Index key_dim = 0;                            ///< width of a query and a key
  double scale = 0;                             ///< of the softmax
  bool softcap = false;
  std::optional<double> max_query, max_key, max_value;  ///< largest |element| of normalised q and k, and of v
  const Tensor<double>* naive = nullptr;                ///< the output of a plain implementation that stores every tensor in `format`
  const Tensor<double>* magnitude = nullptr;            ///< sum_t p_t |v_tj| of every element of o
};

enum class RuleOutcome : std::uint8_t { accepts, rejects, not_applicable };
std::string to_string(RuleOutcome outcome);

struct RuleResult {
  RuleOutcome outcome = RuleOutcome::not_applicable;
  double figure = 0;     ///< the number that the rule compared (of the worst element, where it compares elements); NaN: not a number
  double threshold = 0;  ///< with what
  std::string detail;    ///< what the figure is, why the rule does not apply, what else was noticed
};

struct Rule {
  std::string_view id;
  std::string_view source;     ///< project, file
  std::string_view formula;    ///< it accepts if
  std::string_view nonfinite;  ///< what it makes of NaN and infinity
  bool needs_naive = false, needs_magnitude = false, needs_extremes = false;
  RuleResult (*judge)(const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);
};

/// Every rule. Formulas are carried out in the published number format (fp32, or the output's own), not in double.
const std::vector<Rule>& rules();

/// The rule with this id. Throws Error that lists all ids and near ones.
const Rule& find_rule(std::string_view id);

/// rule.judge after checking that the shapes agree and that nothing the rule needs is missing. `output` holds values of about.format;
/// `reference` the exact values to about 53 bits. Throws Error when the shapes differ.
RuleResult apply_rule(const Rule& rule, const Tensor<double>& output, const Tensor<double>& reference, const RuleCase& about);

/// The absolute tolerance of ROCm hipDNN's calculateSdpaFwdTolerance with fp32 as compute type; none where it throws (a growth factor of
/// a half or more). Needs max_query, max_key and max_value.
std::optional<double> hipdnn_tolerance(const RuleCase& about);

}  // namespace equinorm::verdict
