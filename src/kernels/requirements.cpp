#include "kernels/requirements.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "problem/json.hpp"
#include "problem/problem_file.hpp"
#include "problem/spelling.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

using problem::JsonValue;

/// A problem file that leaves no key of this attention out.
JsonValue whole_file(problem::Attention attention) {
  problem::Problem all;
  all.attention = attention, all.note = "all", all.inputs.path = "all";
  all.rope.scaling.emplace().type = problem::RopeScaling::Type::yarn;
  all.precision.storage = scalar::kFp16;
  all.precision.stored.fill(scalar::kFp64);
  return problem::parse_json(problem::to_json(all), "problem");
}

}  // namespace

void check_requirement_key(const std::string& key) {
  std::string hint;
  for (const problem::Attention attention : {problem::Attention::mla, problem::Attention::gqa}) {
    const JsonValue root = whole_file(attention);
    const JsonValue* value = &root;
    for (std::size_t begin = 0; begin <= key.size();) {
      const std::size_t dot = std::min(key.find('.', begin), key.size());
      const std::string part = key.substr(begin, dot - begin);
      const JsonValue* member = value->find(part);
      if (member == nullptr) {
        if (hint.empty()) hint = problem::did_you_mean(part, value->keys);
        value = nullptr;
        break;
      }
      value = member;
      begin = dot + 1;
    }
    if (value != nullptr) return;
  }
  if (hint.empty()) hint = "; allowed: its keys, dotted, such as latent or norm.scheme";
  throw Error(fmt::format("requires.{} is no key of a problem file{}", key, hint));
}

}  // namespace equinorm::kernels
