// Problem files and model configs from arbitrary bytes: either a problem that survives writing and reading, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "problem/model_config.hpp"
#include "problem/problem_file.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"

namespace {

template <class Parse>
void exercise(Parse&& parse) {
  equinorm::problem::Problem problem;
  try {
    problem = parse();
  } catch (const equinorm::Error&) {
    return;
  }
  const std::string json = to_json(problem);
  if (to_json(equinorm::problem::parse_problem(json, "written")) != json) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  exercise([&] { return equinorm::problem::parse_problem(text, "fuzz"); });
  exercise([&] { return equinorm::problem::from_model_config(text, "fuzz"); });
  return 0;
}
