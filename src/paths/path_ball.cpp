#include "paths/ball_arithmetic.hpp"
#include "paths/mutants-inl.hpp"
#include "paths/path-inl.hpp"

namespace equinorm::paths {

EQUINORM_INSTANTIATE_PATHS(BallArithmetic)

}  // namespace equinorm::paths
