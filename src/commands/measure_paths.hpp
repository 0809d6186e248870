// Measured errors of both forms in one arithmetic, and the stage that they come from.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "commands/arithmetics.hpp"
#include "commands/run_form.hpp"
#include "commands/storage_views.hpp"
#include "inputs/block.hpp"
#include "inputs/sample.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// Runs both forms and adds one ErrorRow per form and tensor of `names`, judged under its rigorous bound, and one DifferenceRow per tensor.
/// Errors are measured against the exact values of `inputs`; verdicts speak of what the arithmetic is given, those inputs rounded to its
/// storage format. `observe`, if given, sees the outputs of each form. Indices are those of the whole problem whose `block` this is.
void measure_paths(const NamedArithmetic& arithmetic, StorageViews& views, const std::set<std::string>& names, verdict::CaseResult& result,
                   const std::function<void(paths::PathKind, const Doubles&)>& observe = {}, const inputs::Block& block = {});

/// Fills main_stage of this arithmetic's rows: each stage alone is rounded, the others run in fp64, on the sample; the stage that moves the
/// sample's output most is named ("inputs" where the storage format cannot hold them). fp64 and real:BITS rows stay without one: nothing
/// wider to compare.
void find_main_stages(const NamedArithmetic& arithmetic, const inputs::Sample& sample, verdict::CaseResult& result);

}  // namespace equinorm::commands
