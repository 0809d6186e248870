// `verify --hunt`: looks for the inputs on which a case errs most.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "commands/options.hpp"
#include "search/search.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// "60s", "5m", "1h": time; "2000e": evaluations. Throws Error.
search::Budget parse_budget(const std::string& text);

/// The judged rows of a problem's outputs on given inputs: the same forms and tensors, in the same order, for all inputs. Throws Error
/// where the inputs have no exact outputs.
using Evaluate = std::function<std::vector<verdict::ErrorRow>(const tensor::TensorMap&)>;

/// What was found: `result` without file names, each form and tensor's row on the inputs that are worst for it, and the inputs that are
/// worst of all.
struct Hunted {
  verdict::HuntResult result;
  std::vector<verdict::ErrorRow> rows;
  tensor::TensorMap worst;
};

/// Searches from `start` (numbers of `format`) and from every input family for inputs that maximise each row's error / bound and error in
/// ulp. Throws what `evaluate` throws of `start`.
Hunted hunt(const problem::Problem& problem, scalar::Format format, const tensor::TensorMap& start, const Evaluate& evaluate,
            const search::Budget& budget, const std::function<void(double)>& progress);

/// The command: each case in each arithmetic (none: bf16/fp32; a mutant: declared), the worst inputs kept as files, results shown. Returns
/// the exit code. Throws Error for what a hunt cannot do: --exact-only, --sensitivity, --weights, arithmetics without bounds.
int verify_hunt(const VerifyOptions& verify, const Options& options);

}  // namespace equinorm::commands
