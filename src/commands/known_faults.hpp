// Which known fault explains an output that lies beyond its bound.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "problem/problem.hpp"
#include "scalar/format.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/measure.hpp"
#include "verdict/results.hpp"

namespace equinorm::commands {

/// One judged output, in the house's conventions.
struct JudgedOutput {
  std::string name;
  scalar::Format format;  ///< it is stored in
  tensor::Tensor<double> values;
  tensor::Tensor<double> bound;  ///< of each element; infinite where nobody looks, or nothing is known
  bool fails = false;            ///< violates its bound, or is not finite
  double relative = 0;           ///< median of bound / |exact value|; known_faults() fills it in
};

/// Whether `faulty` is what the output holds: every element that has a bound B lies within half an ulp and B times `grown` of it, or is the
/// same NaN or infinity. B is that of the right function; where the fault makes an element larger, B is taken to be the part of it that it
/// typically is (`relative`), for no bound of the faulty function is known. Two roundings to a narrower `stored` format may end one unit
/// apart. Returns the largest distance over that allowance, 0 to 1; nothing where one element lies farther.
std::optional<double> distance_to(const JudgedOutput& output, const tensor::Tensor<double>& faulty, double grown = 1,
                                  std::optional<scalar::Format> stored = {});

/// How much of the output's error is left when `faulty` is taken for the right value: root mean squares of the two differences, each in
/// units of its element's bound, over a quarter; 0 to 1, nothing where more is left, or where what is not finite differs. For faults that
/// round an intermediate: kernels that do so at the same places, but sum in another order, differ by a unit of the narrow format where a
/// sum lies near a tie, which no bound of the right function allows for. Errors of other roundings are no part of each other: they would
/// leave more than the whole.
std::optional<double> part_left(const JudgedOutput& output, const tensor::Tensor<double>& faulty, const tensor::Tensor<double>& exact);

/// The known faults that fit: all of these were tried on the problem's own inputs, all that fit are returned, the closest first.
///   The catalogue's wrong forms (`list mutants`) where they apply, run in the declared arithmetic, and those of another function in fp64
///   too; and some readings of the problem under which another right form would be meant (a missing scale, no window).
///   A fault fits if every output that its form defines agrees with it, the ones that hold too, and one that fails is among them.
///   Simple relations of a failing output to its exact value: a factor, an offset, two axes exchanged, and the like.
/// A fit names a likely cause; it proves nothing, and the verdict does not depend on it. `exact` holds the outputs' exact values. Nothing
/// is tried where no output fails, and no forms where all of them together exceed kKnownFaultWork multiply-adds; `notes` then says so, and
/// where nothing fits; then also which indices the wrong elements have in common, where they do (where_wrong).
std::vector<verdict::FaultRow> known_faults(const problem::Problem& problem, const tensor::TensorMap& inputs,
                                            const verdict::Reference& exact, const std::vector<JudgedOutput>& outputs,
                                            std::vector<std::string>& notes);

/// About half a minute of one core.
inline constexpr double kKnownFaultWork = 8e10;

}  // namespace equinorm::commands
