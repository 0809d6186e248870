#include "paths/mutants-inl.hpp"
#include "paths/path-inl.hpp"
#include "paths/real_arithmetic.hpp"

namespace equinorm::paths {

EQUINORM_INSTANTIATE_PATHS(RealArithmetic)

}  // namespace equinorm::paths
