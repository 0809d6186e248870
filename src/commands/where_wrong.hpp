// Which indices of an output the wrong elements have in common.
#pragma once

#include <string>

#include "commands/known_faults.hpp"

namespace equinorm::commands {

/// "o is beyond its bound only at [*,*,1-2,*] of [1,2,4,32]": of each axis the indices at which an element lies beyond its bound, or is not
/// finite where the exact value is; "" where these are all indices of every axis, or the shapes differ. It says nothing of the cause.
std::string where_wrong(const JudgedOutput& output, const tensor::Tensor<double>& exact);

}  // namespace equinorm::commands
