// What a failing run leaves behind for its author.
#pragma once

#include <string>

#include "problem/problem.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::commands {

/// Makes it where it is missing. Throws Error, in terms of --keep, where it cannot be made.
void make_keep_folder(const std::string& folder);

/// Writes FOLDER/CASE-WHAT-SUM.safetensors with the problem's inputs, what the kernel was handed ("kernel.NAME") and its outputs
/// ("got.NAME"), the problem in the metadata; returns the path. SUM tells kernels and problems apart: the same failure, found again, has
/// the same name whoever finds it, and replaces the file. Throws Error where the folder cannot be written.
std::string keep_failure(const std::string& folder, const std::string& kernel, const std::string& what, const problem::Problem& problem,
                         const tensor::TensorMap& inputs, const tensor::TensorMap& handed, const tensor::TensorMap& outputs);

}  // namespace equinorm::commands
