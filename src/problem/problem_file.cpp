#include "problem/problem_file.hpp"

#include <filesystem>

#include "problem/norm_traits.hpp"
#include "problem/object_reader.hpp"

namespace equinorm::problem {
namespace {

using Kind = JsonValue::Kind;

void read_norm(const JsonValue& value, Problem& p) {
  ObjectReader reader(value, "norm");
  if (p.is_mla()) {
    reader.word("scheme", p.norm.scheme, kMlaSchemeNames);
  } else {
    reader.word("scheme", p.norm.scheme, kGqaSchemeNames);
  }
  reader.word("kind", p.norm.kind, kNormKindNames);
  reader.word("weight", p.norm.weight, kNormWeightNames);
  reader.decimal("eps", p.norm.eps);
  reader.boolean("latent_norm", p.norm.latent_norm);
  reader.finish();
}

RopeScaling read_scaling(const JsonValue& value) {
  ObjectReader reader(value, "rope.scaling");
  RopeScaling scaling;
  if (value.find("type") == nullptr) throw Error("rope.scaling.type is missing; allowed: " + words_of(kScalingNames));
  if (value.find("factor") == nullptr) throw Error("rope.scaling.factor is missing; allowed: a number");
  reader.word("type", scaling.type, kScalingNames);
  reader.decimal("factor", scaling.factor);
  if (scaling.type == RopeScaling::Type::yarn) {
    reader.decimal("beta_fast", scaling.beta_fast);
    reader.decimal("beta_slow", scaling.beta_slow);
    reader.integer("original_context", scaling.original_context);
    reader.decimal("mscale", scaling.mscale);
  }
  reader.finish();
  return scaling;
}

void read_rope(const JsonValue& value, Problem& p) {
  ObjectReader reader(value, "rope");
  reader.word("layout", p.rope.layout, kRopeLayoutNames);
  reader.decimal("theta", p.rope.theta);
  if (const JsonValue* scaling = reader.take("scaling"); scaling != nullptr && !scaling->is(Kind::null))
    p.rope.scaling = read_scaling(*scaling);
  reader.word("part", p.rope.part, kRopePartNames);
  reader.finish();
}

void read_mask(const JsonValue& value, Problem& p) {
  ObjectReader reader(value, "mask");
  reader.word("kind", p.mask.kind, kMaskKindNames);
  reader.integer("window", p.mask.window);
  reader.finish();
}

void read_inputs(const JsonValue& value, Problem& p) {
  ObjectReader reader(value, "inputs");
  reader.string("kind", p.inputs.kind);
  reader.seed("seed", p.inputs.seed);
  reader.string("path", p.inputs.path);
  reader.finish();
}

void read_precision(const JsonValue& value, Problem& p) {
  ObjectReader reader(value, "precision");
  Precision& precision = p.precision;
  reader.word("path", precision.path, kPathNames);
  reader.parsed("storage", precision.storage, scalar::parse_format);
  reader.parsed("accumulate", precision.accumulate, scalar::parse_format);
  reader.parsed("statistics", precision.statistics, scalar::parse_format);
  precision.stored = Precision::default_stored(precision.storage);
  for (std::size_t i = 0; i < kStoredNames.size(); ++i) reader.parsed(kStoredNames[i], precision.stored[i], scalar::parse_format);
  reader.boolean("ftz", precision.ftz);
  reader.parsed("order", precision.order, scalar::parse_order);
  reader.integer("splits", precision.splits);
  reader.integer("tile", precision.tile);
  reader.finish();
}

void read_context(const JsonValue& value, Problem& p) {
  const bool list = value.is(Kind::array);
  p.context.clear();
  for (const JsonValue& entry : list ? value.items : std::vector<JsonValue>{value}) {
    const std::optional<Index> length = integer_of(entry);
    if (!length)
      throw Error("context is " + std::string(list ? "a list with " : "") + describe(entry) +
                  "; allowed: an integer, or a list of integers");
    p.context.push_back(*length);
  }
}

/// Dims that only one kind of attention has: present in the other they would be ignored, so they are errors.
void check_dims_of_attention(const JsonValue& root, const Problem& p) {
  for (const char* key : {"latent", "content_dim", "query_latent", "head_dim"}) {
    const bool belongs_to_gqa = std::string_view(key) == "head_dim";
    if (root.find(key) != nullptr && belongs_to_gqa == p.is_mla()) {
      throw Error("key \"" + std::string(key) + "\" belongs to attention \"" + (belongs_to_gqa ? "gqa" : "mla") + "\"; attention is \"" +
                  to_string(p.attention) + "\"");
    }
  }
}

void read_object(ObjectReader& reader, std::string_view key, Problem& p, void (*read)(const JsonValue&, Problem&)) {
  if (const JsonValue* value = reader.take(key)) read(*value, p);
}

Problem read_problem(const JsonValue& root) {
  ObjectReader reader(root, "");
  Problem p;
  reader.string("name", p.name);
  reader.string("note", p.note);
  reader.word("attention", p.attention, kAttentionNames);
  p.norm.scheme = default_scheme(p.attention);
  check_dims_of_attention(root, p);
  reader.word("start", p.start, kStartNames);
  reader.integer("batch", p.batch);
  reader.integer("queries", p.queries);
  read_object(reader, "context", p, read_context);
  reader.integer("heads", p.heads);
  reader.integer("groups", p.groups);
  if (p.is_mla()) {
    reader.integer("latent", p.latent);
    reader.integer("content_dim", p.content_dim);
    reader.integer("query_latent", p.query_latent);
  } else {
    reader.integer("head_dim", p.head_dim);
  }
  reader.integer("rope_dim", p.rope_dim);
  reader.integer("value_dim", p.value_dim);
  reader.integer("model_dim", p.model_dim);
  read_object(reader, "norm", p, read_norm);
  read_object(reader, "rope", p, read_rope);
  read_object(reader, "mask", p, read_mask);
  if (const JsonValue* scale = reader.take("scale"); scale != nullptr && !(scale->is(Kind::string) && scale->text == "default")) {
    p.scale = decimal_of(*scale, "scale", "\"default\" or a number");
  }
  reader.decimal("softcap", p.softcap);
  reader.boolean("sink", p.sink);
  reader.boolean("output_gate", p.output_gate);
  read_object(reader, "inputs", p, read_inputs);
  read_object(reader, "precision", p, read_precision);
  reader.finish();
  return p;
}

}  // namespace

Problem parse_problem(const JsonValue& root, std::string origin) {
  try {
    Problem problem = read_problem(root);
    validate(problem);
    return problem;
  } catch (const Error& error) {
    throw Error(origin_prefix(origin) + error.what());
  }
}

Problem parse_problem(std::string_view json, std::string origin) {
  const JsonValue root = parse_json(json, origin);
  return parse_problem(root, std::move(origin));
}

Problem load_problem(const std::string& path) {
  Problem problem = parse_problem(read_small_file(path), path);
  if (!problem.inputs.path.empty()) problem.inputs.path = (std::filesystem::path(path).parent_path() / problem.inputs.path).string();
  return problem;
}

}  // namespace equinorm::problem
