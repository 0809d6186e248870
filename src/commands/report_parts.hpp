// The measurements of a precision report, each of which fills a part of report/report.hpp.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "commands/report_findings.hpp"
#include "commands/storage_views.hpp"
#include "inputs/block.hpp"
#include "paths/path.hpp"
#include "report/report.hpp"

namespace equinorm::commands {

/// A block of a case (inputs/block.hpp), or all of it, as the measurements below see it.
struct BlockViews {
  const problem::Problem& whole;
  const inputs::Block& block;
  StorageViews& views;  ///< of the block's problem
};

/// Errors of every tensor in `names` under their bounds, and histograms of the last output.
void measure_stages(const BlockViews& of, const std::string& arithmetic, const std::set<std::string>& names, CaseFindings& findings);

/// o of the absorbed form, in the problem's storage format with fp32 sums, as the public acceptance rules see it: judged where the block is
/// the whole, else for judged_rules.
void measure_rules(const BlockViews& of, CaseFindings& findings);

/// Each tensor that a kernel may round, alone in bf16 and in fp16, all else in fp32.
void measure_storage(const BlockViews& of, paths::PathKind form, CaseFindings& findings);
/// Runs of measure_storage, the one without a narrowed tensor among them.
std::size_t storage_runs(const problem::Problem& problem, paths::PathKind form);

/// What caching alpha_k takes, for the mla problems among `cases` and the configurations of the paper.
std::vector<report::CacheRow> cache_rows(const std::vector<report::CaseReport>& cases);

/// What grows: context, latent rank, head dim.
const std::vector<std::string>& growth_axes();
/// Error against one of them, in fp32 and bf16/fp32, of both forms. Throws nothing for the names of growth_axes.
std::vector<report::GrowthSeries> growth_along(const std::string& axis);
/// The problem, in words.
std::string growth_setting();

/// Largest logits under growing weights without norm, with QK-Clip and with QK-norm.
report::LogitControl logit_control();

/// The last output of a problem: y, o_gated or o.
std::string last_output(const problem::Problem& problem);

}  // namespace equinorm::commands
