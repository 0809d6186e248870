#include "problem/builtin.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include "problem/case.hpp"
#include "problem/names.hpp"
#include "problem/scale.hpp"
#include "problem/spelling.hpp"
#include "support.hpp"

namespace equinorm::problem {
namespace {

using Catch::Contains;

TEST_CASE("built-in files: valid, named after themselves, unique, ready for default positions") {
  std::set<std::string_view> names;
  for (const auto* sources : {&builtin_cases(), &presets()}) {
    for (const NamedSource& source : *sources) {
      INFO(source.name);
      const Problem p = parse_problem(source.json, std::string(source.name));
      CHECK(p.name == source.name);
      CHECK(!p.note.empty());
      CHECK(names.insert(source.name).second);
      CHECK(to_json(parse_problem(to_json(p), "again")) == to_json(p));
      CHECK_NOTHROW(check_positions(p, false));
      CHECK(to_json(*find_builtin(source.name)) == to_json(p));
    }
  }
  CHECK(!find_builtin("no-such-case"));
}

TEST_CASE("built-in presets: the dimensions that were published") {
  const std::set<std::string> expected{"deepseek-v3",      "deepseek-v3-tp8", "paper-tp8",       "deepseek-v2-lite",
                                       "kimi-k2",          "paper-400m",      "kimi-linear",     "qwen3-8b",
                                       "olmo2-7b",         "minimax-m2",      "qwen3-next-80b",  "gemma3-12b",
                                       "gemma3-12b-local", "tiny-aya-local",  "tiny-aya-global", "qknorm-cosine"};
  std::set<std::string> found;
  for (const NamedSource& source : presets()) found.emplace(source.name);
  CHECK(found == expected);
  Problem defaults;
  Problem paper = *find_builtin("paper-tp8");
  defaults.name = paper.name;
  defaults.note = paper.note;
  CHECK(to_json(defaults) == to_json(paper));
  const Problem v3 = *find_builtin("deepseek-v3");
  CHECK((v3.heads == 128 && v3.groups == 128 && softmax_scale(v3).yarn->mscale.text() == "1.0"));
  const Problem minimax = *find_builtin("minimax-m2");
  CHECK((minimax.heads == 48 && minimax.groups == 8 && minimax.rotated_dim() == 64 && minimax.norm.scheme == NormScheme::full_width));
}

/// Adds every word that describes `p` to `features`.
void collect(const Problem& p, std::set<std::string>& features) {
  const std::string side = to_string(p.attention) + " ";
  features.insert(side + to_string(p.norm.scheme));
  features.insert(side + "start " + to_string(p.start));
  features.insert("kind " + to_string(p.norm.kind));
  features.insert("weight " + to_string(p.norm.weight));
  features.insert("layout " + to_string(p.rope.layout));
  features.insert("mask " + to_string(p.mask.kind));
  features.insert("inputs " + p.inputs.kind);
  features.insert("storage " + scalar::to_string(p.precision.storage));
  features.insert("order " + scalar::to_string(p.precision.order));
  if (p.rope.scaling) features.insert("scaling " + name_of(kScalingNames, p.rope.scaling->type));
  if (!p.is_mla() && p.rotated_dim() > 0 && p.rotated_dim() < p.head_dim) features.insert("partial " + to_string(p.rope.part));
  const std::pair<const char*, bool> flags[] = {{"scale", p.scale.has_value()},
                                                {"softcap", !p.softcap.is_zero()},
                                                {"sink", p.sink},
                                                {"gate", p.output_gate},
                                                {"G < H", p.groups < p.heads && p.groups > 1},
                                                {"ragged", p.context.size() > 1},
                                                {"S > 1", p.queries > 1},
                                                {"S > T", p.queries > p.context.back()},
                                                {"latent norm", p.norm.latent_norm},
                                                {"query latent", p.query_latent > 0},
                                                {"y", p.model_dim > 0},
                                                {"splits", p.precision.splits > 1},
                                                {"tile", p.precision.tile > 0},
                                                {"rope_dim 0", p.rope_dim == 0},
                                                {"eps not 1e-6", !(p.norm.eps == Decimal("1e-6"))},
                                                {"stored alpha", p.precision.of(Stored::alpha) == scalar::kBf16}};
  for (const auto& [name, present] : flags) {
    if (present) features.insert(name);
  }
  for (const Index length : p.context) features.insert("T = " + std::to_string(length));
}

TEST_CASE("built-in cases: together they cover every feature") {
  std::set<std::string> features;
  for (const NamedSource& source : builtin_cases()) collect(parse_problem(source.json, ""), features);
  std::vector<std::string> wanted{"mla start latent",
                                  "mla start x",
                                  "gqa start latent",
                                  "gqa start x",
                                  "storage fp16",
                                  "storage bf16",
                                  "storage fp32",
                                  "order any",
                                  "order pairwise",
                                  "order blocked:16",
                                  "scaling linear",
                                  "scaling yarn",
                                  "partial first",
                                  "partial last",
                                  "scale",
                                  "softcap",
                                  "sink",
                                  "gate",
                                  "G < H",
                                  "ragged",
                                  "S > 1",
                                  "S > T",
                                  "latent norm",
                                  "query latent",
                                  "y",
                                  "splits",
                                  "tile",
                                  "rope_dim 0",
                                  "eps not 1e-6",
                                  "stored alpha",
                                  "T = 0",
                                  "T = 1"};
  for (const auto& [value, name] : kMlaSchemeNames) wanted.push_back("mla " + std::string(name));
  for (const auto& [value, name] : kGqaSchemeNames) wanted.push_back("gqa " + std::string(name));
  for (const auto& [value, name] : kNormKindNames) wanted.push_back("kind " + std::string(name));
  for (const auto& [value, name] : kNormWeightNames) wanted.push_back("weight " + std::string(name));
  for (const auto& [value, name] : kRopeLayoutNames) wanted.push_back("layout " + std::string(name));
  for (const auto& [value, name] : kMaskKindNames) wanted.push_back("mask " + std::string(name));
  for (const std::string_view kind : kInputKinds) {
    if (kind != "file") wanted.push_back("inputs " + std::string(kind));
  }
  for (const std::string& feature : wanted) {
    INFO(feature);
    CHECK(features.count(feature) == 1);
  }
}

TEST_CASE("built-in cases: cheap enough for a suite that runs on every commit") {
  for (const NamedSource& source : builtin_cases()) {
    INFO(source.name);
    const Problem p = parse_problem(source.json, "");
    const double limit = source.name == "paper-tp8-1k" ? 2.5e9 : 5e8;
    const double tokens = static_cast<double>(p.batch * p.max_context());
    const double projected = p.is_mla() ? static_cast<double>(p.groups * p.latent * (p.content_dim + p.value_dim)) : 0.0;
    const double scored = static_cast<double>(p.queries * p.heads * (p.key_dim() + p.value_dim));
    CHECK(tokens * (projected + scored) < limit);
  }
}

TEST_CASE("case names: built-in, preset, config, file, or an error with near names") {
  CHECK(resolve_case("paper-tp8-1k").context == std::vector<Index>{1024});
  CHECK(resolve_case("qwen3-8b").groups == 8);
  CHECK_THAT(error_of([] { (void)resolve_case("paper-tp9"); }),
             Contains("case \"paper-tp9\" is no built-in case, preset or file; did you mean paper-tp8"));
  CHECK_THAT(error_of([] { (void)resolve_case("/no/such/file.json"); }), Contains("allowed: what 'equinorm list cases'"));
  CHECK_THAT(error_of([] { (void)resolve_case(""); }), Contains("case \"\" is no built-in case"));

  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "equinorm-case-test";
  std::filesystem::create_directories(folder);
  const std::string config = (folder / "config.json").string();
  std::ofstream(config)
      << R"({"model_type": "qwen3", "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000})";
  CHECK(resolve_case(config).heads == 4);
  CHECK(resolve_case(folder.string()).groups == 2);
  const std::string file = (folder / "p.json").string();
  std::ofstream(file) << R"({"name": "mine", "context": 12})";
  CHECK(resolve_case(file).name == "mine");
  std::ofstream(file) << "{";
  CHECK_THAT(error_of([&] { (void)resolve_case(file); }), Contains(file + ": parse error"));
  std::filesystem::remove_all(folder);
}

TEST_CASE("spelling: the nearest names") {
  const std::vector<std::string> names{"heads", "groups", "latent", "head_dim"};
  CHECK(near_names("head", names) == std::vector<std::string>{"heads"});
  CHECK(near_names("haeds", names) == std::vector<std::string>{"heads"});  // one swap
  CHECK(near_names("haesd", names).empty());                               // two, in a word of five letters
  CHECK(near_names("gxoxpx", names).empty());
  CHECK(near_names("head_dm", names) == std::vector<std::string>{"head_dim"});
  CHECK(near_names(std::string(1000, 'x'), names).empty());
  CHECK(did_you_mean("lattent", names) == "; did you mean latent?");
  CHECK(did_you_mean("zzz", names).empty());
}

}  // namespace
}  // namespace equinorm::problem
