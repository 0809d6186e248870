// to_json: the canonical problem file.
#include "problem/names.hpp"
#include "problem/problem_file.hpp"

namespace equinorm::problem {
namespace {

/// Members of one object on one line.
class Line {
 public:
  Line& raw(std::string_view key, const std::string& json) {
    text_ += (text_.empty() ? "\"" : ", \"") + std::string(key) + "\": " + json;
    return *this;
  }
  Line& string(std::string_view key, const std::string& value) { return raw(key, json_string(value)); }
  Line& integer(std::string_view key, Index value) { return raw(key, std::to_string(value)); }
  Line& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  Line& decimal(std::string_view key, const Decimal& value) { return raw(key, value.text()); }

  const std::string& members() const { return text_; }
  std::string object() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

std::string context_text(const Problem& p) {
  if (p.context.size() == 1) return std::to_string(p.context[0]);
  std::string text;
  for (const Index length : p.context) text += (text.empty() ? "" : ", ") + std::to_string(length);
  return "[" + text + "]";
}

Line dims_line(const Problem& p) {
  Line line;
  line.integer("heads", p.heads).integer("groups", p.groups);
  if (p.is_mla()) {
    line.integer("latent", p.latent).integer("content_dim", p.content_dim);
  } else {
    line.integer("head_dim", p.head_dim);
  }
  line.integer("rope_dim", p.rope_dim).integer("value_dim", p.value_dim).integer("model_dim", p.model_dim);
  if (p.is_mla()) line.integer("query_latent", p.query_latent);
  return line;
}

std::string norm_text(const Norm& norm) {
  Line line;
  line.string("scheme", to_string(norm.scheme)).string("kind", to_string(norm.kind)).string("weight", to_string(norm.weight));
  return line.decimal("eps", norm.eps).boolean("latent_norm", norm.latent_norm).object();
}

std::string scaling_text(const RopeScaling& scaling) {
  Line line;
  line.string("type", name_of(kScalingNames, scaling.type)).decimal("factor", scaling.factor);
  if (scaling.type == RopeScaling::Type::yarn) {
    line.decimal("beta_fast", scaling.beta_fast).decimal("beta_slow", scaling.beta_slow);
    line.integer("original_context", scaling.original_context).decimal("mscale", scaling.mscale);
  }
  return line.object();
}

std::string rope_text(const Problem& p) {
  Line line;
  line.string("layout", to_string(p.rope.layout)).decimal("theta", p.rope.theta);
  line.raw("scaling", p.rope.scaling ? scaling_text(*p.rope.scaling) : "null");
  if (!p.is_mla()) line.string("part", to_string(p.rope.part));
  return line.object();
}

std::string inputs_text(const InputSpec& inputs) {
  Line line;
  line.string("kind", inputs.kind).raw("seed", std::to_string(inputs.seed));
  if (!inputs.path.empty()) line.string("path", inputs.path);
  return line.object();
}

std::string precision_text(const Precision& precision) {
  Line line;
  line.string("path", to_string(precision.path)).string("storage", scalar::to_string(precision.storage));
  line.string("accumulate", scalar::to_string(precision.accumulate)).string("statistics", scalar::to_string(precision.statistics));
  const auto defaults = Precision::default_stored(precision.storage);
  for (std::size_t i = 0; i < kStoredNames.size(); ++i) {
    if (!(precision.stored[i] == defaults[i])) line.string(kStoredNames[i], scalar::to_string(precision.stored[i]));
  }
  line.boolean("ftz", precision.ftz).string("order", scalar::to_string(precision.order));
  return line.integer("splits", precision.splits).integer("tile", precision.tile).object();
}

}  // namespace

std::string to_json(const Problem& p) {
  std::string text = "{\n";
  const auto add = [&text](const Line& line, const char* end = ",\n") { text += "  " + line.members() + end; };
  add(Line().string("name", p.name));
  if (!p.note.empty()) add(Line().string("note", p.note));
  add(Line().string("attention", to_string(p.attention)).string("start", to_string(p.start)));
  add(Line().integer("batch", p.batch).integer("queries", p.queries).raw("context", context_text(p)));
  add(dims_line(p));
  add(Line().raw("norm", norm_text(p.norm)));
  add(Line().raw("rope", rope_text(p)));
  add(Line().raw("mask", Line().string("kind", to_string(p.mask.kind)).integer("window", p.mask.window).object()));
  Line scores;
  scores.raw("scale", p.scale ? p.scale->text() : "\"default\"").decimal("softcap", p.softcap);
  add(scores.boolean("sink", p.sink).boolean("output_gate", p.output_gate));
  add(Line().raw("inputs", inputs_text(p.inputs)));
  add(Line().raw("precision", precision_text(p.precision)), "\n");
  return text + "}\n";
}

}  // namespace equinorm::problem
