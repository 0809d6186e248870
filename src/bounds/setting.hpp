// The declared arithmetic of a path, as the bounds see it.
#pragma once

#include <vector>

#include "bounds/accumulation.hpp"
#include "bounds/statistic.hpp"
#include "paths/path_data.hpp"
#include "paths/plan.hpp"
#include "problem/problem.hpp"

namespace equinorm::bounds {

using paths::Index;
using problem::PathKind;
using problem::Stored;

/// Relative errors of the functions, final rounding included, in units of u_x. The defaults hold for correctly rounded ones and for the
/// approximations of GPUs (a few 2^-23 in fp32). exp(0) is exactly 1.
struct FunctionErrors {
  double exp = 4, rsqrt = 4, log = 4, tanh = 4, sigmoid = 4;
  bool base_two = true;  ///< exp and log may be taken to base 2, of numbers multiplied by log2 e, with or without FMA
};

/// What was declared, and what follows from it at every stage.
struct Setting {
  Setting(const problem::Problem& problem, const paths::Plan& plan, PathKind form, const FunctionErrors& functions = {});

  const problem::Problem& problem;
  const paths::Plan& plan;
  PathKind form;
  Rounding fx;         ///< statistics and elementwise work
  Rounding fa;         ///< matrix products
  Reduction products;  ///< sums in f_a
  Reduction sums;      ///< sums in f_x
  double e_exp, e_rsqrt, e_log, e_tanh, e_sigmoid;
  bool base_two;
  double scale;  ///< nearest binary64
  double eps;
  /// Partial sums are followed step by step where the order is a sequence (kind D), instead of by their terms' magnitudes.
  bool follow_sums = false;

  bool absorbed() const { return form == PathKind::absorbed_form; }
  bool absorbed_mla() const { return absorbed() && problem.is_mla(); }
  /// alpha_q multiplies the query before the contraction.
  bool folds_alpha_q() const { return !absorbed() || plan.fold_alpha_q; }
  /// Whether `tensor` is rounded when stored: not where its format is the one that it was computed in, or the widest one.
  bool rounds(Stored tensor) const { return rounds_[static_cast<std::size_t>(tensor)]; }
  const Rounding& format(Stored tensor) const { return formats_[static_cast<std::size_t>(tensor)]; }
  /// What storing adds for a number of at most `magnitude`. Proof: half_ulp_of_upper.
  double store(Stored tensor, double magnitude) const { return rounds(tensor) ? format(tensor).half_ulp(magnitude) : 0; }
  /// The same for any number within `spread` of one that value is within `spread` of, as binary64's own error is. Where the kernel works in
  /// less than binary64 as Rounding::error_near. Proof: half_ulp_of_upper, rounded_between.
  double store_near(Stored tensor, double value, double spread) const {
    if (!rounds(tensor)) return 0;
    const bool narrower = fx.format().precision < 53 && fa.format().precision < 53;
    return narrower ? format(tensor).error_near(value, spread) : format(tensor).half_ulp(std::fabs(value) + 2 * spread);
  }

  /// What is known of a stored number that is within `spread` of value before it is stored. Proof: held_between, held_widest.
  Rounding::Held held_near(Stored tensor, double value, double spread) const {
    if (!rounds(tensor)) return {value, 0, spread, false};
    const bool narrower = fx.format().precision < 53 && fa.format().precision < 53;
    if (narrower) return format(tensor).held_near(value, spread);
    return {value, 0, spread + format(tensor).half_ulp(std::fabs(value) + 2 * spread), false};
  }

 private:
  std::vector<Rounding> formats_;
  std::vector<bool> rounds_;
};

/// What binary64 may lose in a sum that errors are told from, in units of its absolute sum: n terms of 2^-53 each and some roundings more;
/// in the absorbed form's latent score those of k0, of g and of what stores move besides. Proof: own_covers, latent_own_covers.
double own_error(const problem::Problem& problem, bool latent);

/// Everything in binary64, in any order: how the quantities that errors are told from are evaluated.
paths::Plan own_plan(bool fold_alpha_q);

/// The exact computation as a kernel that is told from binary64: its radii are how far binary64 may be from exact. `plan` is an own_plan.
/// Proof: centre_exact, told_from_centre, sum_own.
Setting own_setting(const problem::Problem& problem, const paths::Plan& plan, PathKind form);

}  // namespace equinorm::bounds
