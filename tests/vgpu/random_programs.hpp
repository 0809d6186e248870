// PTX that nobody would write: programs drawn from the table of instructions, and real PTX with its lines and words exchanged. None of it
// may do worse to the host than an Error or a finding.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "vgpu/device.hpp"

namespace vgpu_tests {

using namespace equinorm::vgpu;
using Random = std::mt19937_64;

/// A number from 0 to count - 1.
inline std::size_t pick(Random& random, std::size_t count) { return static_cast<std::size_t>(random() % count); }

/// Every PTX file of this repository.
std::vector<std::string> real_ptx();

/// A kernel `test` of about `lines` instructions, each an opcode and operands that a row of the table allows, as far as their kinds go.
std::string random_program(Random& random, std::size_t lines);

/// One to four edits: bytes, words and lines changed, left out, exchanged, said twice.
std::string mutated(std::string text, Random& random);

/// Runs every kernel of the text, on addresses where arguments have 8 bytes and small numbers elsewhere, under options drawn from `random`
/// and with a low limit of instructions. A line that is refused is taken out, at most `patience` times. Returns how many kernels ran.
std::size_t run_anything(std::string text, Random& random, int patience);

}  // namespace vgpu_tests
