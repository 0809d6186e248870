// Everything that a precision report shows, as data: commands/ fills it, this room renders it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scalar/format.hpp"
#include "verdict/results.hpp"

namespace equinorm::report {

using verdict::Index;

/// How many elements of one output lie how far from the exact value, in units in the last place of the output's format.
struct Histogram {
  std::string arithmetic, path, tensor;
  scalar::Format format;
  Index elements = 0, exact = 0, nonfinite = 0;
  std::map<int, Index> counts;  ///< by k: errors in [2^k, 2^(k+1)) ulp
};

/// The cost of storing one tensor in 16 bits, everything else in fp32. Errors and bounds are those of the case's last output over its
/// largest exact element.
struct StorageRow {
  std::string tensor, path;
  scalar::Format format;
  double base_error = 0, error = 0;         ///< all fp32; with this tensor narrowed
  std::optional<double> base_bound, bound;  ///< none: no finite bound
  std::string seen_in;                      ///< "logits" or "o": where the rounding shows first
  double moved = 0;                         ///< rms change of that tensor, absolute
  std::optional<double> predicted;          ///< of `moved`, from the amplification terms; none: no formula for it
  std::optional<double> kappa_w, kappa_2;   ///< against the explicit form that stores q_hat and k_hat in the same format
  std::optional<double> kappa_centred;      ///< kappa_2 of what softmax sees
  std::optional<double> kappa_v;            ///< u only: against storing v
  bool yardstick = false;                   ///< what a kernel rounds anyway: o; q_hat and k_hat of the explicit form
};

/// What one token takes in the cache of one layer, in bytes.
struct CacheRow {
  std::string name, storage, alpha_format;
  Index groups = 0;
  double latent = 0, rope = 0, alpha = 0;
};

struct CaseReport {
  verdict::CaseResult result;
  std::vector<Histogram> histograms;
  std::vector<StorageRow> storage;
  std::vector<std::string> storage_notes;
};

struct GrowthPoint {
  double n = 0, error = 0;
};

/// Error of one output as one dimension grows, all else fixed. `error` is rms error over rms exact value.
struct GrowthSeries {
  std::string axis;  ///< "context", "latent rank", "head dim"
  std::string arithmetic, path, tensor;
  std::vector<GrowthPoint> points;
};

/// Largest |logit| when query and key weights are both multiplied by `factor`.
struct LogitPoint {
  double factor = 0, none = 0, clip = 0, norm = 0;
};
struct LogitControl {
  std::string setting;    ///< the problem, in words
  double threshold = 0;   ///< tau of QK-Clip
  double norm_limit = 0;  ///< what QK-norm can never exceed
  std::vector<LogitPoint> points;
};

/// A table that another part of the program filled, e.g. the public acceptance rules beside our verdicts.
struct NamedTable {
  std::string title, caption;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Sections without data are left out of the rendered report.
struct Report {
  std::string command;
  std::vector<CaseReport> cases;
  std::vector<CacheRow> cache;
  std::string growth_setting;
  std::vector<GrowthSeries> growth;
  std::optional<LogitControl> logit_control;
  std::vector<NamedTable> tables;
  double seconds = 0;
};

/// Least-squares slope of log2 error against log2 n over the points with a positive, finite error; none below two such points.
std::optional<double> fitted_slope(const GrowthSeries& series);

/// A: slope at most 1/4, the error does not grow. B: at most 3/4, it grows like sqrt(n), as random roundings do. C: at most 5/4, like n, as
/// the worst case of a sum does. D: faster, which rounding in a sum does not explain. "-": no slope.
std::string grade_of(std::optional<double> slope);

}  // namespace equinorm::report
