#include "commands/seeds.hpp"

#include <algorithm>

namespace equinorm::commands {

std::vector<Options> with_seeds(const std::string& case_text, std::uint64_t count, const Options& options) {
  std::vector<Options> all{options};
  for (std::uint64_t i = 1; i < count; ++i) {
    Options seeded = options;
    std::erase_if(seeded.overrides, [](const auto& field) { return field.first == "seed" || field.first == "inputs.seed"; });
    seeded.overrides.emplace_back("seed", std::to_string(problem_of(case_text, options).inputs.seed + i));
    all.push_back(std::move(seeded));
  }
  return all;
}

}  // namespace equinorm::commands
