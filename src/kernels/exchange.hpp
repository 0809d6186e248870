// The two files of a run over files: inputs out, outputs in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/runner.hpp"

namespace equinorm::kernels {

/// The inputs as a file holds them, in the layouts of `passed`: a paged tensor as its pool `NAME` [pages, page_size, ...] and
/// `NAME.block_table` I32 [B, blocks]; a strided one as its buffer [elements], of which the request tells the strides; every other one
/// contiguous. Tokens past their row's context, gaps, and rows of pages that nobody uses are poison. Throws Error where `inputs` are not
/// what is passed.
tensor::TensorMap file_tensors(const std::vector<Passed>& passed, const Request& request);

/// The request's line (PROCESS.md), without line break.
std::string run_request(const Request& request, const PassedTensors& passed, std::uint64_t id, const std::string& inputs_path,
                        const std::string& outputs_path);

/// Bytes of all of them, contiguous.
std::uint64_t byte_count(const std::vector<Passed>& tensors);

/// 64 bits that depend on every byte of a file; 0 where it cannot be read whole, or is no regular file.
std::uint64_t file_fingerprint(const std::string& path);

/// Reads the outputs that a stranger wrote. The file is copied before it is looked at: it may change under our hands. The outcome's status
/// is ok, wrong_shape or protocol (no safetensors file), its outputs those that were asked for and well formed.
Outcome read_outputs(const std::string& path, const std::vector<Passed>& expected);

}  // namespace equinorm::kernels
