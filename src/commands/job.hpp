// A command as units of work: run here, on the ranks of mpirun, as a shard, or after an interruption, always with the same results.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "commands/finish.hpp"
#include "commands/options.hpp"
#include "work/unit.hpp"

namespace equinorm::commands {

/// Shows how far a unit is.
struct UnitProgress {
  std::function<void(const std::string& label)> begin;  ///< what is being done now
  std::function<void(double share)> advance;            ///< share of the unit that is done, 0 to 1
};

/// `run` must be a function of the command line and the unit alone, and finish() one of recipe and results: then results do not depend on
/// who computed them.
struct Job {
  std::string command;  ///< to be typed again, without what only speaks of output
  Recipe recipe;
  std::string out;                    ///< the folder of a report
  std::vector<std::string> problems;  ///< canonical problem files; with `files` they tell runs apart
  std::vector<std::string> files;     ///< inputs
  std::vector<work::Unit> units;
  std::function<std::string(std::size_t unit, const UnitProgress& progress)> run;  ///< one at a time; the text is one line
  std::function<double(std::size_t unit)> seconds;                                 ///< expected, from rates measured when called
};

/// Makes the job on every rank, runs what this run is to do and is not in the journal yet, and finishes it on the first rank. The other
/// ranks return 0, as does a shard that is complete. Throws Error.
int run_job(const std::function<Job()>& make, const Options& options);

/// Adds a file, or every file of the checkpoint in a folder (or beside an index), to the job's inputs.
void add_files(Job& job, const std::string& path);

/// "3 mla-cosine seed 1: bf16/fp32": the name of a unit, the place of its case in front.
std::string unit_id(std::size_t case_index, const problem::Problem& problem, const std::string& what);

/// Finishes the job whose shards lie in these folders.
struct MergeOptions {
  std::vector<std::string> folders;
  std::string out;  ///< the folder of a report
};
int merge(const MergeOptions& merge, const Options& options);

}  // namespace equinorm::commands
