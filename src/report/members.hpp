// All members of a report's parts; see verdict/members.hpp.
#pragma once

#include <tuple>

#include "report/report.hpp"
#include "verdict/members.hpp"

namespace equinorm::report {

inline auto members(Histogram& x) { return std::tie(x.arithmetic, x.path, x.tensor, x.format, x.elements, x.exact, x.nonfinite, x.counts); }
inline auto members(StorageRow& x) {
  return std::tie(x.tensor, x.path, x.format, x.base_error, x.error, x.base_bound, x.bound, x.seen_in, x.moved, x.predicted, x.kappa_w,
                  x.kappa_2, x.kappa_centred, x.kappa_v, x.yardstick);
}
inline auto members(CaseReport& x) { return std::tie(x.result, x.histograms, x.storage, x.storage_notes); }
inline auto members(GrowthPoint& x) { return std::tie(x.n, x.error); }
inline auto members(GrowthSeries& x) { return std::tie(x.axis, x.arithmetic, x.path, x.tensor, x.points); }
inline auto members(LogitPoint& x) { return std::tie(x.factor, x.none, x.clip, x.norm); }
inline auto members(LogitControl& x) { return std::tie(x.setting, x.threshold, x.norm_limit, x.points); }

}  // namespace equinorm::report
