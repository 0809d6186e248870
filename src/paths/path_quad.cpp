#include "paths/mutants-inl.hpp"
#include "paths/path-inl.hpp"
#include "paths/quad_arithmetic.hpp"

namespace equinorm::paths {

EQUINORM_INSTANTIATE_PATHS(QuadArithmetic)

}  // namespace equinorm::paths
