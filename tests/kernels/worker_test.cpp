// Kernels in worker processes: right ones give their results, wrong ones end in the status that names their fault, and nothing of them
// stays.
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "kernels/worker_helpers.hpp"
#include "scalar/error.hpp"

using namespace equinorm;
using namespace equinorm::kernels;
using namespace equinorm::kernels::testing;

TEST_CASE("right kernels give their results, in every layout and persistently") {
  for (const char* name : {"honest", "honest_strided", "honest_paged", "workspace"}) {
    Attempt attempt(name);
    CHECK(attempt.runner->declaration().name == "u = p c");
    INFO(attempt.runner->description());
    for (unsigned seed = 1; seed <= 40; ++seed) {
      INFO(name << ", seed " << seed);
      const Index latent = seed % 4 == 0 ? 8 : 5 + seed % 3;
      attempt.problem = with_declared_precision(attempt.runner->declaration(), value_problem(latent, {Index(seed % 7), Index(seed % 11)}));
      attempt.request.inputs = random_inputs(attempt.runner->declaration(), attempt.problem, seed);
      attempt.request.layout_seed = seed / 2;
      const Outcome outcome = attempt.run();
      INFO(outcome.detail);
      REQUIRE(outcome.status == RunStatus::ok);
      REQUIRE(equals(outcome.outputs.at("u"), expected_values(attempt.problem, attempt.request.inputs)));
    }
  }
}
