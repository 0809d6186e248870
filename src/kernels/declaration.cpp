#include "kernels/declaration.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "kernels/requirements.hpp"
#include "problem/norm_traits.hpp"
#include "problem/object_reader.hpp"
#include "problem/problem_file.hpp"
#include "problem/stored_tensors.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

using problem::JsonValue;
using problem::ObjectReader;
using problem::Stored;
using Kind = JsonValue::Kind;

constexpr problem::NameTable<LayoutKind, 3> kLayoutNames{
    {{LayoutKind::contiguous, "contiguous"}, {LayoutKind::strided, "strided"}, {LayoutKind::paged, "paged"}}};
constexpr problem::NameTable<AlphaQ, 3> kAlphaNames{{{AlphaQ::any, "any"}, {AlphaQ::query, "query"}, {AlphaQ::score, "score"}}};
constexpr problem::NameTable<DeviceKind, 2> kDeviceNames{{{DeviceKind::host, "host"}, {DeviceKind::cuda, "cuda"}}};
constexpr problem::NameTable<bool, 2> kBaseNames{{{false, "e"}, {true, "2"}}};
constexpr problem::NameTable<bool, 2> kEmptyRowNames{{{true, "zero"}, {false, "any"}}};

scalar::Format ieee_format(std::string_view text) {
  const scalar::Format format = scalar::parse_format(text);
  if (format.kind == scalar::FormatKind::real) throw Error(fmt::format("'{}' is no dtype; allowed: fp16, bf16, fp32, fp64", text));
  return format;
}

/// Every number of `narrow` is one of `wide`.
bool holds(scalar::Format wide, scalar::Format narrow) {
  if (wide == narrow) return true;
  const scalar::FormatLimits w = scalar::limits(wide), n = scalar::limits(narrow);
  return wide.precision >= narrow.precision && w.max_exponent >= n.max_exponent && w.smallest_subnormal <= n.smallest_subnormal;
}

/// Elements of an array of words.
std::vector<std::string> words(ObjectReader& reader, std::string_view key) {
  std::vector<std::string> found;
  const JsonValue* value = reader.take(key);
  if (value == nullptr) return found;
  if (!value->is(Kind::array)) reader.reject(key, *value, "a list of words");
  for (const JsonValue& item : value->items) {
    if (!item.is(Kind::string)) reader.reject(key, item, "words");
    found.push_back(item.text);
  }
  return found;
}

StageRun read_stages(ObjectReader& reader) {
  const std::vector<std::string> names = words(reader, "stages");
  if (names.empty()) throw Error("stages is missing or empty; allowed: consecutive ones of " + problem::words_of(kStageNames));
  std::vector<Stage> stages;
  for (const std::string& name : names) {
    const std::optional<Stage> stage = problem::value_of(kStageNames, name);
    if (!stage) throw Error(fmt::format("stages holds '{}'; allowed: {}", name, problem::words_of(kStageNames)));
    if (!stages.empty() && static_cast<int>(*stage) != static_cast<int>(stages.back()) + 1)
      throw Error(fmt::format("stages: '{}' does not follow '{}'; allowed: consecutive ones of {}", name,
                              problem::name_of(kStageNames, stages.back()), problem::words_of(kStageNames)));
    stages.push_back(*stage);
  }
  return {stages.front(), stages.back()};
}

std::map<std::string, TensorDeclaration> read_tensors(ObjectReader& parent, std::string_view key) {
  std::map<std::string, TensorDeclaration> tensors;
  const JsonValue* value = parent.take(key);
  if (value == nullptr) return tensors;
  if (!value->is(Kind::object)) parent.reject(key, *value, "an object of tensors");
  for (std::size_t i = 0; i < value->keys.size(); ++i) {
    ObjectReader reader(value->items[i], parent.field(key) + "." + value->keys[i]);
    TensorDeclaration tensor;
    scalar::Format dtype;
    if (value->items[i].find("dtype") != nullptr) {
      reader.parsed("dtype", dtype, ieee_format);
      tensor.dtype = dtype;
    }
    reader.word("layout", tensor.layout, kLayoutNames);
    reader.integer("page_size", tensor.page_size);
    reader.integer("largest_pool", tensor.largest_pool);
    const bool paged = tensor.layout == LayoutKind::paged;
    if (paged != (tensor.page_size > 0) || tensor.page_size > (Index{1} << 20))
      throw Error(fmt::format("{} is {}; allowed: from 1 to 1048576 with layout paged, absent without", reader.field("page_size"),
                              tensor.page_size));
    if (tensor.largest_pool < 0 || (tensor.largest_pool > 0 && !paged))
      throw Error(fmt::format("{} is {}; allowed: a number of elements with layout paged, absent without", reader.field("largest_pool"),
                              tensor.largest_pool));
    reader.finish();
    tensors.emplace(value->keys[i], tensor);
  }
  return tensors;
}

/// precision: read by the problem file's own reader, so that the two cannot drift apart.
problem::Precision read_precision(ObjectReader& reader, PathKind form, const std::string& origin) {
  JsonValue precision;
  precision.kind = Kind::object;
  if (const JsonValue* value = reader.take("precision")) {
    if (!value->is(Kind::object)) reader.reject("precision", *value, "an object");
    if (value->find("path") != nullptr) throw Error("precision.path has no place in a declaration; allowed: the key path");
    precision = *value;
  }
  precision.set("path", JsonValue::string(problem::name_of(problem::kPathNames, form)));
  JsonValue root;
  root.kind = Kind::object;
  root.set("precision", std::move(precision));
  return problem::parse_problem(root, origin).precision;
}

void read_claims(ObjectReader& reader, Declaration& out) {
  for (const std::string& claim : words(reader, "claims")) {
    if (claim == "bit-reproducible")
      out.bit_reproducible = true;
    else if (claim == "batch-invariant")
      out.batch_invariant = true;
    else if (claim == "split-invariant")
      out.split_invariant = true;
    else
      throw Error(fmt::format("claims holds '{}'; allowed: bit-reproducible, batch-invariant, split-invariant", claim));
  }
}

std::string text_of(const JsonValue& value) {
  if (value.is(Kind::boolean)) return value.boolean ? "true" : "false";
  return value.text;
}

void read_requirements(ObjectReader& parent, Declaration& out) {
  const JsonValue* value = parent.take("requires");
  if (value == nullptr) return;
  if (!value->is(Kind::object)) parent.reject("requires", *value, "an object of conditions");
  for (std::size_t i = 0; i < value->keys.size(); ++i) {
    Requirement requirement;
    requirement.key = value->keys[i];
    check_requirement_key(requirement.key);
    const JsonValue& item = value->items[i];
    if (item.is(Kind::array)) {
      for (const JsonValue& allowed : item.items) requirement.allowed.push_back(text_of(allowed));
      if (requirement.allowed.empty()) throw Error(fmt::format("requires.{} is empty; allowed: at least one value", requirement.key));
    } else {
      ObjectReader reader(item, "requires." + requirement.key);
      const auto read = [&](std::string_view key, std::optional<Index>& target) {
        Index number = 0;
        if (item.find(key) != nullptr) reader.integer(key, number), target = number;
      };
      read("min", requirement.min), read("max", requirement.max), read("multiple_of", requirement.multiple_of);
      if (requirement.multiple_of && *requirement.multiple_of < 1)
        throw Error(fmt::format("requires.{}.multiple_of is {}; allowed: at least 1", requirement.key, *requirement.multiple_of));
      reader.finish();
    }
    out.requirements.push_back(std::move(requirement));
  }
}

double read_empty_lse(ObjectReader& reader) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const JsonValue* value = reader.take("empty_row_lse");
  if (value == nullptr || value->text == "-inf") return -kInfinity;
  if (value->text == "+inf") return kInfinity;
  if (!value->is(Kind::number)) reader.reject("empty_row_lse", *value, "-inf, +inf, or a number");
  return std::stod(value->text);
}

/// A stored tensor whose declared dtype is narrower than `precision` says is rounded to it.
void narrow_precision(Declaration& out) {
  for (const auto* side : {&out.inputs, &out.outputs}) {
    for (const auto& [name, tensor] : *side) {
      const std::optional<Stored> stored = problem::stored_of(name);
      if (!stored || !tensor.dtype) continue;
      scalar::Format& format = out.precision.of(*stored);
      if (tensor.dtype->precision < format.precision) format = *tensor.dtype;
    }
  }
}

/// Tensors that some problem's stages may read or write.
struct KnownTensors {
  std::set<std::string> reads, writes;
};
KnownTensors known_tensors(const Declaration& out) {
  KnownTensors known;
  for (const problem::Attention attention : {problem::Attention::mla, problem::Attention::gqa}) {
    for (const problem::NormScheme scheme : problem::kNormSchemes) {
      if (!problem::belongs_to(scheme, attention)) continue;
      for (const Index query_latent : {0, 8}) {
        Problem all;
        all.attention = attention, all.norm.scheme = scheme, all.norm.latent_norm = true, all.sink = all.output_gate = true;
        all.model_dim = 8, all.query_latent = query_latent;
        all.start = out.stages.first == Stage::project ? problem::Start::x : problem::Start::latent;
        const StageTensors tensors = tensors_of(all, out.form, out.stages);
        for (const auto* list : {&tensors.inputs, &tensors.handed_over}) {
          for (const problem::TensorSpec& spec : *list) known.reads.insert(spec.name);
        }
        for (const problem::TensorSpec& spec : tensors.outputs) known.writes.insert(spec.name);
      }
    }
  }
  return known;
}

void check_names(const Declaration& out) {
  const auto [reads, writes] = known_tensors(out);
  const auto check = [](const auto& declared, const std::set<std::string>& known, const char* key, const char* verb) {
    for (const auto& [name, tensor] : declared) {
      if (!known.contains(name))
        throw Error(fmt::format("{}.{}: these stages {} no such tensor; allowed: {}", key, name, verb, fmt::join(known, ", ")));
    }
  };
  check(out.inputs, reads, "inputs", "read");
  check(out.outputs, writes, "outputs", "write");
}

scalar::Format default_dtype(const Declaration& declaration, const Problem& problem, const problem::TensorSpec& spec, bool is_input) {
  if (is_input) return spec.role == problem::Role::rope_table ? scalar::kFp32 : problem.precision.storage;
  if (const std::optional<Stored> stored = problem::stored_of(spec.name)) return declaration.precision.of(*stored);
  return spec.name == "lse" || spec.name == "alpha_q" ? declaration.precision.statistics : declaration.precision.storage;
}

Passed pass(const Declaration& declaration, const Problem& problem, const problem::TensorSpec& spec, bool is_input, bool handed_over) {
  const auto& declared = is_input || handed_over ? declaration.inputs : declaration.outputs;
  const auto found = declared.find(spec.name);
  const TensorDeclaration tensor = found == declared.end() ? TensorDeclaration{} : found->second;
  Passed passed{.spec = spec,
                .layout = tensor.layout,
                .page_size = tensor.page_size,
                .largest_pool = tensor.largest_pool,
                .handed_over = handed_over};
  if (spec.role == problem::Role::positions) {
    if (tensor.dtype) throw Error(fmt::format("inputs.{}.dtype: positions are int64", spec.name));
    passed.dtype = tensor::DType::i64;
  } else {
    const scalar::Format natural = default_dtype(declaration, problem, spec, is_input);
    const scalar::Format format = tensor.dtype.value_or(natural);
    if (is_input && !holds(format, natural)) {
      throw Error(fmt::format("inputs.{}.dtype is {}; allowed: what holds every {}, the format of this input", spec.name,
                              scalar::to_string(format), scalar::to_string(natural)));
    }
    passed.dtype = tensor::dtype_of(format);
  }
  if (passed.layout == LayoutKind::paged && (spec.shape.size() < 3 || spec.shape[1] != problem.max_context() || !(is_input || handed_over)))
    throw Error(fmt::format("{}: layout paged; allowed: only inputs of shape [batch, context, ...]", spec.name));
  return passed;
}

}  // namespace

Declaration parse_declaration(const JsonValue& root, const std::string& origin, const std::vector<std::string>& ignored) {
  try {
    ObjectReader reader(root, "");
    Index version = 0;
    reader.integer("equinorm", version);
    if (version != 1) throw Error(fmt::format("equinorm is {}; allowed: 1, the version of this interface", version));
    for (const std::string& key : ignored) reader.take(key);
    Declaration out;
    reader.string("name", out.name);
    if (out.name.empty()) throw Error("name is missing; allowed: any text");
    if (root.find("path") == nullptr) throw Error("path is missing; allowed: explicit, absorbed");
    reader.word("path", out.form, problem::kPathNames);
    out.stages = read_stages(reader);
    out.inputs = read_tensors(reader, "inputs");
    out.outputs = read_tensors(reader, "outputs");
    if (out.outputs.empty()) throw Error("outputs is missing or empty; allowed: at least one tensor that the stages write");
    out.precision = read_precision(reader, out.form, "");
    reader.word("alpha_q", out.alpha_q, kAlphaNames);
    reader.word("lse_base", out.lse_base_two, kBaseNames);
    out.empty_row_lse = read_empty_lse(reader);
    reader.word("empty_row_output", out.empty_row_is_zero, kEmptyRowNames);
    read_claims(reader, out);
    read_requirements(reader, out);
    reader.word("device", out.device, kDeviceNames);
    reader.finish();
    check_names(out);
    narrow_precision(out);
    return out;
  } catch (const Error& error) {
    throw Error(problem::origin_prefix(origin) + error.what());
  }
}

std::set<std::string> readable_tensors(const Declaration& declaration) { return known_tensors(declaration).reads; }

Declaration parse_declaration(std::string_view json, const std::string& origin, const std::vector<std::string>& ignored) {
  return parse_declaration(problem::parse_json(json, origin), origin, ignored);
}

std::string unsupported(const Declaration& declaration, const Problem& problem) {
  JsonValue root = problem::parse_json(problem::to_json(problem), "problem");
  for (const Requirement& requirement : declaration.requirements) {
    const JsonValue* value = &root;
    for (std::size_t begin = 0; value != nullptr && begin <= requirement.key.size();) {
      const std::size_t dot = std::min(requirement.key.find('.', begin), requirement.key.size());
      value = value->find(std::string_view(requirement.key).substr(begin, dot - begin));
      begin = dot + 1;
    }
    // A context list stands for its longest row; keys of the other kind of attention are absent.
    std::string actual = value == nullptr ? "absent" : text_of(*value);
    if (requirement.key == "context") actual = std::to_string(problem.max_context());
    if (!requirement.allowed.empty()) {
      if (std::find(requirement.allowed.begin(), requirement.allowed.end(), actual) == requirement.allowed.end())
        return fmt::format("needs {} {}; this is {}", requirement.key, fmt::join(requirement.allowed, " or "), actual);
      continue;
    }
    const bool numeric = value != nullptr && (value->is(Kind::number) || requirement.key == "context") &&
                         actual.find_first_not_of("0123456789") == std::string::npos && actual.size() < 18;
    const Index number = numeric ? std::stoll(actual) : 0;
    if (!numeric || (requirement.min && number < *requirement.min))
      return fmt::format("needs {} >= {}; this is {}", requirement.key, requirement.min.value_or(0), actual);
    if (requirement.max && number > *requirement.max)
      return fmt::format("needs {} <= {}; this is {}", requirement.key, *requirement.max, actual);
    if (requirement.multiple_of && number % *requirement.multiple_of != 0)
      return fmt::format("needs {} a multiple of {}; this is {}", requirement.key, *requirement.multiple_of, actual);
  }
  return "";
}

Problem with_declared_precision(const Declaration& declaration, Problem problem) {
  problem.precision = declaration.precision;
  problem.precision.path = declaration.form;
  return problem;
}

PassedTensors passed_tensors(const Declaration& declaration, const Problem& problem, Index table_rows) {
  const StageTensors tensors = tensors_of(problem, declaration.form, declaration.stages, table_rows);
  PassedTensors passed;
  for (const problem::TensorSpec& spec : tensors.inputs) passed.inputs.push_back(pass(declaration, problem, spec, true, false));
  for (const problem::TensorSpec& spec : tensors.handed_over) passed.inputs.push_back(pass(declaration, problem, spec, false, true));
  passed.inputs.push_back({.spec = {"context_lengths", {problem.batch}, problem::Role::positions}, .dtype = tensor::DType::i32});
  for (const problem::TensorSpec& spec : tensors.outputs) {
    if (declaration.outputs.contains(spec.name)) passed.outputs.push_back(pass(declaration, problem, spec, false, false));
  }
  if (passed.outputs.empty()) throw Error("none of the declared outputs exists in this problem");
  return passed;
}

}  // namespace equinorm::kernels
