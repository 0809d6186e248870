// What `equinorm ptx` can ask for.
#pragma once

#include <string>
#include <vector>

#include "commands/options.hpp"

namespace equinorm::commands {

struct PtxRunOptions {
  std::string file, kernel;
  std::vector<unsigned> grid{1}, block{1};  ///< up to three sizes
  unsigned shared = 0;                      ///< bytes of dynamic shared memory
  std::vector<std::string> arguments;       ///< TYPE:VALUE, or in:FILE, out:BYTES[:FILE], inout:FILE for buffers
  std::string contraction = "separate";     ///< "separate", "fused" or "both"
  std::string approximation = "correct";    ///< "correct", "perturbed" or "interval"
  std::string order = "canonical";          ///< "canonical", "reversed" or "seeded"
  unsigned long seed = 1;
  std::string shadows = "none";  ///< "double-double", "double", "ball", "arbitrary"
  int shadow_bits = 320;         ///< of "arbitrary"
  int target = 0;  ///< tensor cores of sm_TARGET; 0: the module's
};

/// `equinorm ptx coverage FILE`: the instructions of a PTX file that the virtual GPU does not know. 0: it knows all; 3: not.
int ptx_coverage(const std::string& file, const Options& options);

/// `equinorm ptx run FILE KERNEL`: one launch on the virtual GPU. 0: it finished and nothing was found; 1: something was.
int ptx_run(const PtxRunOptions& run, const Options& options);

}  // namespace equinorm::commands
