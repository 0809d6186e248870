#include "exact/field_arithmetic.hpp"
#include "exact/rational_arithmetic.hpp"
#include "paths/mutants-inl.hpp"
#include "paths/path-inl.hpp"

namespace equinorm::paths {

EQUINORM_INSTANTIATE_PATHS(exact::FieldArithmetic)
EQUINORM_INSTANTIATE_PATHS(exact::RationalArithmetic)

}  // namespace equinorm::paths
