// Command line of equinorm: arguments in, one call into commands/, exit code out.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "commands/job.hpp"
#include "commands/run_guarded.hpp"

namespace {

using equinorm::commands::Options;

/// Options that every command takes.
void add_common(CLI::App& command, Options& options) {
  command.add_option("--json", options.json_path, "Write the results as JSON to FILE")->type_name("FILE");
  command.add_option("--junit", options.junit_path, "Write the verdicts as JUnit XML to FILE")->type_name("FILE");
  command.add_flag("-q,--quiet", options.quiet, "Print nothing but errors");
  command.add_flag("-v,--verbose", options.verbose, "Print every tensor and every check");
  command.add_option("--threads", options.threads, "Number of threads (default: all cores); results do not depend on it")
      ->check(CLI::Range(1, 4096));
}

/// --seed N, --context T and the other fields of a problem that can be changed from the command line.
void add_overrides(CLI::App& command, Options& options) {
  static constexpr const char* kFields[] = {"seed",        "context",  "batch",      "queries",  "heads",     "groups", "latent",
                                            "content_dim", "rope_dim", "value_dim",  "head_dim", "model_dim", "inputs", "eps",
                                            "softcap",     "storage",  "accumulate", "tile",     "splits"};
  for (const std::string field : kFields) {
    std::string flag = "--" + field;
    if (command.get_option_no_throw(flag) != nullptr) continue;  // compare's --inputs is a file
    for (char& c : flag) c = c == '_' ? '-' : c;
    command
        .add_option_function<std::string>(
            flag, [&options, field](const std::string& value) { options.overrides.emplace_back(field, value); },
            "Change the problem's " + field)
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
          "Change any key of the problem file, e.g. norm.scheme=unified")
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

/// What is wrong with the command line. CLI11 says of an unknown or missing command only that one is required.
std::string message_of(const CLI::ParseError& error, const CLI::App& app, int argc, char** argv) {
  if (error.get_name() != "RequiredError" || !app.get_subcommands().empty()) return error.what();
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names += (names.empty() ? "" : ", ") + command->get_name();
  return (argc > 1 ? "'" + std::string(argv[1]) + "' is no command" : "a command is missing") + "; allowed: " + names;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace equinorm::commands;
  CLI::App app("Numerical verification of QK-normed attention: is it the same function, and is every wrong digit explained by rounding?",
               "equinorm");
  app.require_subcommand(1);
  Options options;
  int status = 0;
  const auto runs = [&](CLI::App* command, auto body) { command->callback([&, body] { status = run_guarded(options, body); }); };

  VerifyOptions verify_options;
  CLI::App* verify_command = app.add_subcommand("verify", "Run the equivalence suite (no CASE: the default suite)");
  verify_command->add_option("CASE", verify_options.cases, "Built-in case, model preset, config.json or problem file");
  verify_command->add_flag("--exact-only", verify_options.exact_only, "Exact checks only, no measured errors");
  verify_command->add_flag("--sensitivity", verify_options.sensitivity,
                           "Which catalogued wrong forms each case catches under its own bounds, instead of the suite");
  verify_command->add_option("--formats", verify_options.formats, "Arithmetics to measure, e.g. bf16,bf16/fp32,fp32,real:100")
      ->delimiter(',');
  verify_command->add_option("--mutant", verify_options.mutant,
                             "Put a catalogued faulty form in place of the absorbed one: it must come out different");
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
  verify_command->add_option("--seeds", verify_options.seeds, "Run every case with its seed and the ones after it, N in all")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  add_common(*verify_command, options);
  add_work(*verify_command, options);
  add_overrides(*verify_command, options);
  runs(verify_command, [&] { return verify(verify_options, options); });

  ReportOptions report_options;
  CLI::App* report_command = app.add_subcommand("report", "Write a precision report: HTML with figures, Markdown, JSON, CSV");
  report_command->add_option("CASE", report_options.cases,
                             "Built-in case, model preset, config.json or problem file (none: the default suite)");
  report_command->add_option("--out", report_options.out, "The folder to write; made where it is missing")->type_name("DIR")->required();
  report_command->add_option("--formats", report_options.formats, "Arithmetics to measure, e.g. bf16,bf16/fp32,fp32")->delimiter(',');
  report_command->add_flag("--sensitivity", report_options.sensitivity, "Add which catalogued wrong forms each case catches");
  add_common(*report_command, options);
  add_work(*report_command, options);
  add_overrides(*report_command, options);
  runs(report_command, [&] { return equinorm::commands::report(report_options, options); });

  MergeOptions merge_options;
  CLI::App* merge_command = app.add_subcommand("merge", "Put the results of shards together, as one run would have shown them");
  merge_command->add_option("DIR", merge_options.folders, "Folders that were given to --resume")->required();
  merge_command->add_option("--out", merge_options.out, "The folder to write, for shards of 'equinorm report'")->type_name("DIR");
  add_common(*merge_command, options);
  runs(merge_command, [&] { return merge(merge_options, options); });

  GenerateOptions generate_options;
  CLI::App* generate_command = app.add_subcommand("generate", "Write a case's inputs, on demand with certified outputs");
  generate_command->add_option("CASE", generate_options.case_text, "Built-in case, model preset, config.json or problem file")->required();
  generate_command->add_option("--out", generate_options.out_path, "The safetensors file to write")->required();
  generate_command->add_flag("--reference", generate_options.reference, "Add every exact output: NAME, NAME.lo, NAME.radius");
  add_common(*generate_command, options);
  add_overrides(*generate_command, options);
  runs(generate_command, [&] { return generate(generate_options, options); });

  CompareOptions compare_options;
  CLI::App* compare_command = app.add_subcommand("compare", "Measure outputs computed anywhere");
  compare_command->add_option("CASE", compare_options.case_text, "Built-in case, model preset, config.json or problem file")->required();
  compare_command->add_option("--inputs", compare_options.inputs_path, "safetensors file with the inputs")->required();
  compare_command->add_option("--outputs", compare_options.outputs_path, "safetensors file with the outputs")->required();
  compare_command->add_option("--rules", compare_options.rules, "Show what public acceptance rules say too: all, or ids from 'list rules'")
      ->delimiter(',');
  add_common(*compare_command, options);
  add_overrides(*compare_command, options);
  runs(compare_command, [&] { return compare(compare_options, options); });

  std::string what;
  CLI::App* list_command = app.add_subcommand("list", "What there is");
  list_command->add_option("WHAT", what, "cases, models, formats, norms, inputs, kernels, mutants, rules, or tensors CASE");
  std::string listed_case;
  list_command->add_option("CASE", listed_case, "With tensors: whose inputs and outputs to show");
  add_common(*list_command, options);
  runs(list_command, [&] { return what == "tensors" && !listed_case.empty() ? list_tensors(listed_case, options) : list(what, options); });

  std::string bench_name;
  CLI::App* bench_command = app.add_subcommand("bench", "What it costs, and how tight the bounds are");
  bench_command->add_option("NAME", bench_name, "tightness: largest bound / largest error, beside the goals")
      ->required()
      ->check(CLI::IsMember({"tightness"}));
  add_common(*bench_command, options);
  runs(bench_command, [&] { return bench_tightness(options); });

  CLI::App* doctor_command = app.add_subcommand("doctor", "What this machine can do, and what would be skipped");
  add_common(*doctor_command, options);
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
