// The handlers of all rows, in the order of table.inc; included by one file for each instruction set.
#pragma once

#include "vgpu/ops_matrix.hpp"

namespace equinorm::vgpu {
namespace {

constexpr Handler kHandlers[] = {
#define EQUINORM_OP(pattern, operands, exactness, bound, shadow, handler) handler,
#define EQUINORM_FLOW(pattern, operands, flow) nullptr,
#include "vgpu/table.inc"
#undef EQUINORM_OP
#undef EQUINORM_FLOW
};

}  // namespace
}  // namespace equinorm::vgpu
