// The measurements of a precision report, each of which fills a part of report/report.hpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "commands/options.hpp"
#include "commands/storage_views.hpp"
#include "report/report.hpp"

namespace equinorm::commands {

/// Names the step that is about to be done; called once for each of the steps that the functions below announce.
using Step = std::function<void(const std::string&)>;

/// Steps of report_case.
std::int64_t report_case_steps(const ReportOptions& asked);

/// Exact checks, errors of every stage tensor under their bounds, histograms of the last output, and the storage what-if of one case.
report::CaseReport report_case(const std::string& case_text, const ReportOptions& asked, const Options& options, const Step& step);

/// What every public acceptance rule says of o of the absorbed form, in the problem's storage format with fp32 sums, beside our verdict.
/// Nothing where that arithmetic was not measured.
void measure_rules(StorageViews& views, verdict::CaseResult& result);

/// Fills `storage`: each tensor that a kernel may round, alone in bf16 and in fp16, all else in fp32.
void measure_storage(StorageViews& views, const Step& step, report::CaseReport& result);
inline constexpr std::int64_t kStorageSteps = 3;

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
