// Command line of equinorm: arguments in, one call into commands/, exit code out.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "commands/job.hpp"
#include "commands/ptx.hpp"
#include "commands/run_guarded.hpp"

namespace {

using equinorm::commands::Options;

/// Options of commands that give verdicts.
void add_results(CLI::App& command, Options& options) {
  command.add_option("--json", options.json_path, "Write the results as JSON to FILE")->type_name("FILE");
  command.add_option("--junit", options.junit_path, "Write the verdicts as JUnit XML to FILE")->type_name("FILE");
}

void add_quiet(CLI::App& command, Options& options) { command.add_flag("-q,--quiet", options.quiet, "Print nothing but errors"); }

void add_threads(CLI::App& command, Options& options) {
  command.add_option("--threads", options.threads, "Number of threads (default: all cores); results do not depend on it")
      ->check(CLI::Range(1, 4096));
}

/// Options of commands that compute and then show results. Other commands take those of them that change what they do.
void add_common(CLI::App& command, Options& options) {
  add_quiet(command, options);
  command.add_flag("-v,--verbose", options.verbose, "Print every tensor and every check");
  add_threads(command, options);
}

/// --seed N, --context T and the other fields of a problem that can be changed from the command line.
void add_overrides(CLI::App& command, Options& options) {
  static constexpr std::pair<const char*, const char*> kFields[] = {
      {"seed", "of the inputs"},
      {"context", "tokens T of every batch row, or one number each: 257,1,96"},
      {"batch", "batch rows B"},
      {"queries", "query tokens S of each row, the last ones of its context"},
      {"heads", "query heads H"},
      {"groups", "key heads, or groups of heads that share one: G, divides heads"},
      {"latent", "mla: width r of the latent"},
      {"content_dim", "mla: d_c"},
      {"rope_dim", "mla: d_r; gqa: dims of the head that turn"},
      {"value_dim", "d_v"},
      {"head_dim", "gqa: d"},
      {"model_dim", "width of x and y; 0: no output projection"},
      {"inputs", "family of the inputs: 'equinorm list inputs'"},
      {"eps", "of the norm"},
      {"softcap", "of the logits; 0: none"},
      {"storage", "format of the stored tensors: fp16, bf16, fp32, fp64"},
      {"accumulate", "format of the matrix products: fp16, bf16, fp32, fp64"},
      {"tile", "keys of one tile of the online softmax; 0: one tile"},
      {"splits", "parts into which a row's keys are split"}};
  for (const auto& [name, meaning] : kFields) {
    const std::string field = name;
    std::string flag = "--" + field;
    if (command.get_option_no_throw(flag) != nullptr) continue;  // compare's --inputs is a file
    for (char& c : flag) c = c == '_' ? '-' : c;
    command
        .add_option_function<std::string>(
            flag, [&options, field](const std::string& value) { options.overrides.emplace_back(field, value); }, meaning)
        ->type_name("VALUE")
        ->group("Change the problem");
  }
  command
      .add_option_function<std::vector<std::string>>(
          "--set",
          [&options](const std::vector<std::string>& settings) {
            for (const std::string& setting : settings) {
              const std::size_t equals = setting.find('=');
              if (equals == std::string::npos)
                throw CLI::ValidationError("--set", "'" + setting + "' is not KEY=VALUE, e.g. norm.scheme=unified");
              options.overrides.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
            }
          },
          "any key of the problem file, e.g. norm.scheme=unified")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->group("Change the problem");
}

/// Options of commands whose work can be cut into units.
void add_work(CLI::App& command, Options& options) {
  const char* const group = "More than one process (also: mpirun -n N equinorm ...)";
  command.add_option("--resume", options.resume, "Keep each finished unit in folder DIR, and begin with those that it has")
      ->type_name("DIR")
      ->group(group);
  command.add_option("--shard", options.shard, "Do part I of N of the units alone; 'equinorm merge' puts them together")
      ->type_name("I/N")
      ->group(group);
  command.add_flag("--dry-run", options.dry_run, "Show the units, the time and the memory that each will take, and do nothing")
      ->group(group);
}

void add_cut(CLI::App& command, double& cut) {
  command.add_option("--cut", cut, "Multiply-adds above which a case is measured by batch row and block of heads (default: 1e10)")
      ->type_name("WORK")
      ->check(CLI::PositiveNumber);
}

/// `ptx coverage` and `ptx run`; `runs` makes a body the callback of a command.
template <class Runs>
void add_ptx(CLI::App& app, Options& options, equinorm::commands::PtxRunOptions& run, std::string& file, const Runs& runs) {
  CLI::App* ptx = app.add_subcommand("ptx", "PTX files on the virtual GPU");
  ptx->require_subcommand(1);
  CLI::App* coverage = ptx->add_subcommand("coverage", "Which instructions of a file would not run");
  coverage->add_option("FILE", file, "PTX text")->required();
  coverage->add_option("--json", options.json_path, "Write what was found as JSON to FILE")->type_name("FILE");
  add_quiet(*coverage, options);
  runs(coverage, [&] { return equinorm::commands::ptx_coverage(file, options); });

  CLI::App* launch = ptx->add_subcommand("run", "Launch a kernel once and say what is wrong with it");
  launch->add_option("FILE", run.file, "PTX text")->required();
  launch->add_option("KERNEL", run.kernel, "Name of the .entry")->required();
  launch->add_option("--grid", run.grid, "Blocks: X[,Y[,Z]] (default: 1)")->delimiter(',')->expected(1, 3);
  launch->add_option("--block", run.block, "Threads of a block: X[,Y[,Z]] (default: 1)")->delimiter(',')->expected(1, 3);
  launch->add_option("--shared", run.shared, "Bytes of dynamic shared memory");
  launch->add_option("--arg", run.arguments, "Argument, in order: i32:N u32:N i64:N u64:N f32:X f64:X in:FILE inout:FILE out:BYTES[:FILE]")
      ->expected(1)
      ->take_all();
  launch->add_option("--contraction", run.contraction, "mul and add without .rn: separate, fused, or both and compared")
      ->capture_default_str()
      ->check(CLI::IsMember({"separate", "fused", "both"}));
  launch
      ->add_option("--approximation", run.approximation,
                   "ex2.approx and its like: correct, perturbed inside their bounds, or all that their bounds allow (interval, with "
                   "--shadows ball or arbitrary)")
      ->capture_default_str()
      ->check(CLI::IsMember({"correct", "perturbed", "interval"}));
  launch->add_option("--order", run.order, "Of blocks and warps")
      ->capture_default_str()
      ->check(CLI::IsMember({"canonical", "reversed", "seeded"}));
  launch->add_option("--seed", run.seed, "Of perturbed and seeded")->capture_default_str();
  launch
      ->add_option("--shadows", run.shadows,
                   "Carry values without rounding, and list rounding errors by line: double-double, double, ball, arbitrary")
      ->expected(0, 1)
      ->default_str("double-double");
  launch->add_option("--shadow-bits", run.shadow_bits, "Of --shadows arbitrary")->capture_default_str();
  launch->add_option("--target", run.target, "Tensor cores of sm_TARGET (default: the file's)");
  add_quiet(*launch, options);
  add_threads(*launch, options);
  runs(launch, [&] { return equinorm::commands::ptx_run(run, options); });
}

/// What is wrong with the command line. CLI11 says of an unknown or missing command only that one is required.
std::string message_of(const CLI::ParseError& error, const CLI::App& app, int argc, char** argv) {
  const auto given = app.get_subcommands();
  const CLI::App& parent = given.empty() ? app : *given.front();
  const auto commands = parent.get_subcommands([](const CLI::App*) { return true; });
  if (error.get_name() != "RequiredError" || commands.empty() || !parent.get_subcommands().empty()) return error.what();
  std::string names;
  for (const CLI::App* command : commands) names += (names.empty() ? "" : ", ") + command->get_name();
  const int word = given.empty() ? 1 : 2;
  return (argc > word ? "'" + std::string(argv[word]) + "' is no command" : "a command is missing") +
         (given.empty() ? "" : " after " + parent.get_name()) + "; allowed: " + names;
}

/// Blocks of some MiB are taken and given back thousands of times: kept by the process they cost no page faults, which were a seventh of
/// the time of judging 2,600 tokens.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 28);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  using namespace equinorm::commands;
  keep_freed_memory();
  CLI::App app("Numerical verification of QK-normed attention: is it the same function, and is every wrong digit explained by rounding?",
               "equinorm");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 everything decided holds, 1 something fails, 2 bad usage or input, 3 undecided, skipped or nothing decided.");
  app.set_version_flag("--version", "equinorm " EQUINORM_VERSION);
  Options options;
  int status = 0;
  const auto runs = [&](CLI::App* command, auto body) { command->callback([&, body] { status = run_guarded(options, body); }); };

  VerifyOptions verify_options;
  CLI::App* verify_command = app.add_subcommand("verify", "Run the equivalence suite (no CASE: the default suite)");
  verify_command->add_option("CASE", verify_options.cases, "Built-in case, model preset, config.json or problem file");
  verify_command->add_flag("--exact-only", verify_options.exact_only, "Exact checks only, no measured errors");
  verify_command->add_flag("--sensitivity", verify_options.sensitivity,
                           "Which catalogued wrong forms each case catches under its own bounds, instead of the suite");
  verify_command
      ->add_option("--formats", verify_options.formats, "Arithmetics to measure, e.g. bf16,bf16/fp32,real:100 ('equinorm list formats')")
      ->delimiter(',');
  verify_command->add_option("--mutant", verify_options.mutant,
                             "Put a faulty form ('equinorm list mutants') in place of the absorbed one: it must come out different");
  verify_command
      ->add_option("--hunt", verify_options.hunt,
                   "Search for the inputs with the largest error / bound instead: for 60s, 5m, 1h, or 2000e evaluations (reproducible)")
      ->type_name("BUDGET");
  verify_command->add_option("--hunt-out", verify_options.hunt_out, "The safetensors file that keeps the worst inputs of --hunt")
      ->needs("--hunt");
  verify_command->add_option("--weights", verify_options.weights,
                             "Checkpoint (safetensors file, index or folder) whose layer supplies the weights");
  verify_command->add_option("--layer", verify_options.layer, "Layer of --weights")->check(CLI::NonNegativeNumber)->needs("--weights");
  verify_command->add_option("--first-head", verify_options.first_head, "First head of a tensor-parallel slice of --weights")
      ->check(CLI::NonNegativeNumber)
      ->needs("--weights");
  add_cut(*verify_command, verify_options.cut);
  verify_command->add_option("--seeds", verify_options.seeds, "Run every case with its seed and the ones after it, N in all (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  add_results(*verify_command, options);
  add_common(*verify_command, options);
  add_work(*verify_command, options);
  add_overrides(*verify_command, options);
  runs(verify_command, [&] { return verify(verify_options, options); });

  ReportOptions report_options;
  CLI::App* report_command = app.add_subcommand("report", "Write a precision report: HTML with figures, Markdown, JSON, CSV");
  report_command->add_option("CASE", report_options.cases,
                             "Built-in case, model preset, config.json or problem file (none: the default suite)");
  report_command->add_option("--out", report_options.out, "The folder to write; made where it is missing")->type_name("DIR")->required();
  report_command
      ->add_option("--formats", report_options.formats, "Arithmetics to measure, e.g. bf16,bf16/fp32,fp32 ('equinorm list formats')")
      ->delimiter(',');
  report_command->add_flag("--sensitivity", report_options.sensitivity, "Add which catalogued wrong forms each case catches");
  add_cut(*report_command, report_options.cut);
  add_results(*report_command, options);
  add_common(*report_command, options);
  add_work(*report_command, options);
  add_overrides(*report_command, options);
  runs(report_command, [&] { return equinorm::commands::report(report_options, options); });

  MergeOptions merge_options;
  CLI::App* merge_command = app.add_subcommand("merge", "Put the results of shards together, as one run would have shown them");
  merge_command->add_option("DIR", merge_options.folders, "Folders that were given to --resume")->required();
  merge_command->add_option("--out", merge_options.out, "The folder to write, for shards of 'equinorm report'")->type_name("DIR");
  add_results(*merge_command, options);
  add_common(*merge_command, options);
  runs(merge_command, [&] { return merge(merge_options, options); });

  GenerateOptions generate_options;
  CLI::App* generate_command = app.add_subcommand("generate", "Write a case's inputs, on demand with certified outputs");
  generate_command->add_option("CASE", generate_options.case_text, "Built-in case, model preset, config.json or problem file")->required();
  generate_command->add_option("--out", generate_options.out_path, "The safetensors file to write")->required();
  generate_command->add_flag("--reference", generate_options.reference, "Add every exact output: NAME, NAME.lo, NAME.radius, NAME.bound");
  add_quiet(*generate_command, options);
  add_threads(*generate_command, options);
  add_overrides(*generate_command, options);
  runs(generate_command, [&] { return generate(generate_options, options); });

  CompareOptions compare_options;
  CLI::App* compare_command = app.add_subcommand("compare", "Measure outputs computed anywhere");
  compare_command->add_option("CASE", compare_options.case_text, "Built-in case, model preset, config.json or problem file")->required();
  compare_command->add_option("--inputs", compare_options.inputs_path, "safetensors file with the inputs")->required();
  compare_command->add_option("--outputs", compare_options.outputs_path, "safetensors file with the outputs")->required();
  compare_command->add_option("--rules", compare_options.rules, "Show what public acceptance rules say too: all, or ids from 'list rules'")
      ->delimiter(',');
  add_results(*compare_command, options);
  add_common(*compare_command, options);
  add_overrides(*compare_command, options);
  runs(compare_command, [&] { return compare(compare_options, options); });

  CheckOptions check_options;
  CLI::App* check_command = app.add_subcommand("check", "Judge a third-party kernel: shared library, process, CUDA module");
  check_command->add_option("KERNEL", check_options.kernel, "Library (.so), manifest of a CUDA module (.json), executable or .py file")
      ->required();
  check_command->add_option(
      "CASE", check_options.cases,
      "Built-in case, model preset, config.json or problem file (none: --cases quick); CASE+positions: with explicit positions");
  check_command->add_option("--cases", check_options.matrix, "A matrix of cases (default without CASE: quick)")
      ->check(CLI::IsMember({"quick", "full"}));
  check_command
      ->add_option("--device", check_options.device,
                   "Where it runs; declared: where its declaration says. virtual: a CUDA module on the virtual GPU")
      ->capture_default_str()
      ->check(CLI::IsMember({"declared", "host", "cuda", "virtual"}));
  check_command->add_option("--timeout", check_options.seconds, "Seconds that one run may take")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 1e6));
  check_command->add_option("--memory", check_options.memory_gib, "GiB that the kernel's process may take beyond the tensors")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 1e5));
  check_command->add_option("--repeats", check_options.repeats, "Runs on the same inputs")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  check_command->add_option("--keep", check_options.keep, "Keep inputs and outputs of failing cases in DIR; made where it is missing")
      ->type_name("DIR");
  check_command->add_flag("--explain", check_options.explain, "Virtual GPU: compare with rounding removed, name the lines that round");
  add_results(*check_command, options);
  add_common(*check_command, options);
  add_work(*check_command, options);
  add_overrides(*check_command, options);
  runs(check_command, [&] { return check(check_options, options); });

  std::string what;
  CLI::App* list_command = app.add_subcommand("list", "What there is");
  list_command->add_option("WHAT", what, "cases, models, formats, norms, inputs, kernels, mutants, rules, or tensors CASE");
  std::string listed_case;
  list_command->add_option("CASE", listed_case, "With tensors: whose inputs and outputs to show");
  runs(list_command, [&] { return list(what, listed_case, options); });

  std::string bench_name;
  CLI::App* bench_command = app.add_subcommand("bench", "What it costs, and how tight the bounds are");
  bench_command
      ->add_option("NAME", bench_name,
                   "tightness: largest bound / largest error, beside the goals; decode: absorbed decode on a GPU, with and without QK-norm")
      ->required()
      ->check(CLI::IsMember({"tightness", "decode"}));
  bench_command->add_option("--json", options.json_path, "decode: write the table as JSON to FILE")->type_name("FILE");
  add_quiet(*bench_command, options);
  add_threads(*bench_command, options);
  runs(bench_command, [&] { return bench_name == "decode" ? bench_decode(options) : bench_tightness(options); });

  PtxRunOptions ptx_run_options;
  std::string ptx_file;
  add_ptx(app, options, ptx_run_options, ptx_file, runs);

  CLI::App* doctor_command = app.add_subcommand("doctor", "What this machine can do, and what would be skipped");
  runs(doctor_command, [&] { return doctor(options); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    std::fprintf(stderr, "equinorm: %s\n", one_line(message_of(error, app, argc, argv)).c_str());
    return 2;
  }
  return status;
}
