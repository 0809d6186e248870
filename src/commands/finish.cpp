#include "commands/finish.hpp"

#include "commands/codec.hpp"
#include "commands/job.hpp"
#include "commands/publish.hpp"
#include "scalar/error.hpp"
#include "work/checksum.hpp"
#include "work/codec.hpp"
#include "work/journal.hpp"

namespace equinorm::commands {

int finish(const Recipe& recipe, const std::vector<std::string>& results, const std::string& out, double seconds, const Options& options) {
  if (recipe.kind == "verify") return finish_verify(results, recipe.in_full, seconds, options);
  if (recipe.kind == "hunt") return finish_hunt(results, options);
  if (recipe.kind == "check") return finish_check(results, seconds, options);
  if (recipe.kind == "report") return finish_report(results, recipe.made_by, out, seconds, options);
  throw Error("merge: results of '" + recipe.kind + "' are not known; allowed: verify, hunt, check, report");
}

int merge(const MergeOptions& merge, const Options& options) {
  check_result_paths(options);
  const work::Merged merged = work::merge_journals(merge.folders);
  if (merged.header.version != work::version())
    throw Error("merge: the journals were made by version " + merged.header.version + "; this is " + work::version());
  const auto recipe = work::from_line<Recipe>(merged.header.recipe);
  if ((recipe.kind == "report") != !merge.out.empty())
    throw Error(recipe.kind == "report" ? "merge: a report needs --out DIR"
                                        : "merge: --out is for reports; these are results of " + recipe.kind);
  return finish(recipe, merged.results, merge.out, 0, options);
}

}  // namespace equinorm::commands
