#include "commands/check_matrix.hpp"

#include "scalar/error.hpp"

namespace equinorm::commands {
namespace {

/// "heads=3 groups=1" as fields.
MatrixCase derived(const std::string& base, const std::string& words) {
  MatrixCase result{base, {}};
  for (std::size_t begin = 0; begin < words.size();) {
    const std::size_t end = std::min(words.find(' ', begin), words.size());
    const std::string word = words.substr(begin, end - begin);
    const std::size_t equals = word.find('=');
    result.fields.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    begin = end + 1;
  }
  return result;
}

/// What every kernel should stand: one key, none, page edges, ragged batches, planted keys, tokens near sqrt(eps), wide ranges.
const std::vector<std::pair<std::string, std::string>> kQuick{
    {"paper-tp8", "context=1"},
    {"paper-tp8", "context=17 inputs=uniform"},
    {"paper-tp8", "context=63 inputs=small-tokens"},
    {"paper-tp8", "context=64 inputs=wide-tokens"},
    {"paper-tp8", "context=65 inputs=planted-key"},
    {"paper-tp8", "context=140,0,17 batch=3 inputs=planted-key"},
    {"paper-tp8", "context=1027 inputs=massive-channels"},
    {"paper-tp8", "context=300 queries=3 inputs=edge-logits"},
    {"paper-tp8", "context=200 norm.scheme=none"},
    {"paper-tp8", "context=200 norm.scheme=unified"},
    {"paper-tp8", "context=130 heads=3 groups=1"},
    {"paper-tp8", "context=130 heads=16 groups=2 norm.eps=1e-5"},
    {"paper-tp8+positions", "context=130 heads=4 groups=4 queries=3"},
    {"qwen3-8b", "context=140"},
    {"qwen3-8b", "context=140,17 batch=2 inputs=planted-key"},
    {"gqa-per-head-gated", ""},
};

/// The further axes: more rows, heads, queries and tokens than anybody tries by hand. Splits and tiles are what the kernel declares.
const std::vector<std::pair<std::string, std::string>> kFurther{
    {"paper-tp8", "context=96 batch=7"},
    {"paper-tp8", "context=11 batch=157 heads=4 groups=4"},
    {"paper-tp8", "context=64 heads=1 groups=1"},
    {"paper-tp8", "context=64 heads=63 groups=63"},
    {"paper-tp8", "context=64 heads=128 groups=8"},
    {"paper-tp8", "context=140 queries=2"},
    {"paper-tp8", "context=140 queries=4 inputs=planted-key"},
    {"paper-tp8", "context=97 queries=7"},
    {"paper-tp8", "context=9 queries=17"},
    {"paper-tp8", "context=513 inputs=planted-key"},
    {"paper-tp8", "context=5"},
    {"paper-tp8", "context=257 queries=5 mask.kind=window mask.window=64 inputs=planted-key"},
    {"paper-tp8", "context=257 mask.kind=none"},
    {"paper-tp8", "context=257 softcap=5 sink=true"},
    {"paper-tp8", "context=257 scale=0.0416666666666666666"},
    {"paper-tp8", "context=257 norm.scheme=full_width"},
    {"paper-tp8", "context=257 norm.kind=l2"},
    {"paper-tp8", "context=257 norm.weight=zero_centred"},
    {"paper-tp8", "context=257 norm.eps=0"},
    {"paper-tp8", "context=257 inputs=anisotropic"},
    {"paper-tp8", "context=257 inputs=nullspace"},
    {"paper-tp8", "context=257 inputs=zero-token"},
    {"paper-tp8", "context=257 rope.layout=half"},
    {"deepseek-v3-tp8", "context=1027"},
    {"paper-tp8", "context=4096"},
    {"paper-tp8", "context=32768 inputs=planted-key"},
    {"paper-tp8", "context=262144 inputs=planted-key"},
    {"qwen3-8b", "context=1027 queries=3"},
    {"qwen3-8b", "context=4096"},
    {"gemma3-12b-local", "context=1100"},
    {"olmo2-7b", "context=140"},
};

}  // namespace

std::vector<MatrixCase> check_matrix(const std::string& name) {
  if (name != "quick" && name != "full") throw Error("--cases is '" + name + "'; allowed: quick, full");
  std::vector<MatrixCase> cases;
  for (const auto& [base, words] : kQuick) cases.push_back(derived(base, words));
  if (name == "full") {
    for (const auto& [base, words] : kFurther) cases.push_back(derived(base, words));
  }
  return cases;
}

}  // namespace equinorm::commands
