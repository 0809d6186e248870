#include "paths/mutants-inl.hpp"
#include "paths/path-inl.hpp"
#include "paths/rounded_arithmetic.hpp"

namespace equinorm::paths {

EQUINORM_INSTANTIATE_PATHS(RoundedArithmetic<double>)

}  // namespace equinorm::paths
