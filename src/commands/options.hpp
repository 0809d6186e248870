// What the command line can ask for.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "problem/problem.hpp"

namespace equinorm::commands {

/// Choices that every command shares.
struct Options {
  std::vector<std::pair<std::string, std::string>> overrides;  ///< problem fields changed on the command line, in order
  std::string json_path, junit_path;
  bool quiet = false, verbose = false;
  int threads = 0;     ///< 0: all cores
  std::string resume;  ///< folder of the journal: what is in it is not computed again
  std::string shard;   ///< "3/16": this part of the units alone
  bool dry_run = false;
};

struct VerifyOptions {
  std::vector<std::string> cases;    ///< empty: the default suite
  std::vector<std::string> formats;  ///< empty: the default arithmetics
  std::string mutant;
  std::optional<std::string> hunt;  ///< budget of a search for the worst inputs
  std::string hunt_out;             ///< the file that keeps them; empty: named after case and arithmetic
  bool exact_only = false;
  bool sensitivity = false;
  double cut = 1e10;        ///< multiply-adds of one form above which errors are measured block by block: about ten seconds of a core
  std::uint64_t seeds = 1;  ///< every case with its own seed and the ones after it
  std::string weights;      ///< checkpoint whose layer supplies the weights
  problem::Index layer = 0, first_head = 0;
};

struct ReportOptions {
  std::vector<std::string> cases;    ///< empty: the default suite
  std::vector<std::string> formats;  ///< empty: the default arithmetics
  std::string out;                   ///< folder
  bool sensitivity = false;
  double cut = 1e10;  ///< multiply-adds of one form above which a case is measured block by block
};

struct GenerateOptions {
  std::string case_text, out_path;
  bool reference = false;
};

struct CompareOptions {
  std::string case_text, inputs_path, outputs_path;
  std::vector<std::string> rules;  ///< public acceptance rules to show beside our verdict, or "all"
};

struct CheckOptions {
  std::string kernel;
  std::vector<std::string> cases;   ///< empty: those of `matrix`
  std::string matrix;               ///< "quick" or "full"; empty: quick, unless cases are given
  std::string device = "declared";  ///< "declared", "host", "cuda", "virtual"
  double seconds = 60;              ///< of one run
  double memory_gib = 8;            ///< of the worker, beyond the tensors
  int repeats = 3;                  ///< runs on the same inputs
  std::string keep;                 ///< folder for inputs and outputs of failing cases
  bool explain = false;             ///< virtual GPU: is it the formula, rounding removed?
};

/// The problem that `case_text` names, with the overrides applied. Throws Error.
problem::Problem problem_of(const std::string& case_text, const Options& options);

/// "equinorm COMMAND CASE --seed 7 ...": what to type to run this case again.
/// Words that a shell would change are quoted; `extra` holds the words after the overrides.
std::string reproduction_line(const std::string& command, const std::string& case_text, const Options& options,
                              const std::vector<std::string>& extra);

/// The same for any number of cases.
std::string command_line(const std::string& command, const std::vector<std::string>& cases, const Options& options,
                         const std::vector<std::string>& extra);

/// Each command returns the process's exit code; bad input throws Error (exit code 2).
int verify(const VerifyOptions& verify, const Options& options);
int report(const ReportOptions& report, const Options& options);
int generate(const GenerateOptions& generate, const Options& options);
int compare(const CompareOptions& compare, const Options& options);
int check(const CheckOptions& check, const Options& options);
int list(const std::string& what, const std::string& of, const Options& options);  ///< `of`: with tensors, the case
int list_tensors(const std::string& case_text, const Options& options);
int doctor(const Options& options);
/// Largest bound / largest error of every stage, per format and kind of data, beside the goals.
int bench_tightness(const Options& options);
/// Decode on a GPU with and without the QK-norm's factors, beside the paper's table; 3 where there is no driver.
int bench_decode(const Options& options);

}  // namespace equinorm::commands
