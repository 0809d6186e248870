#include "kernels/cuda_manifest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "problem/object_reader.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

using problem::JsonValue;
using problem::ObjectReader;
using Kind = JsonValue::Kind;

constexpr std::array<std::string_view, 4> kScalars{"eps", "scale", "softcap", "scale_log2e"};

/// Tensors that the declared stages may pass, and context_lengths.
bool passes(const Declaration& declaration, const std::string& name) {
  return name == "context_lengths" || declaration.outputs.contains(name) || readable_tensors(declaration).contains(name);
}

void check_name(const Declaration& declaration, const std::string& name, const std::string& field) {
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos) {
    if (!problem_integer(equinorm_problem{}, name))
      throw Error(fmt::format("{} uses '{}'; allowed: integers of the problem (kernel.h), TENSOR.PROPERTY", field, name));
    return;
  }
  const std::string property = name.substr(dot + 1);
  if (std::find(kTensorProperties.begin(), kTensorProperties.end(), property) == kTensorProperties.end())
    throw Error(fmt::format("{} uses '{}'; allowed after the dot: {}", field, name, fmt::join(kTensorProperties, ", ")));
  if (!passes(declaration, name.substr(0, dot))) throw Error(fmt::format("{} uses '{}'; these stages pass no such tensor", field, name));
}

/// The JSON text of a value, on one line.
std::string written(const JsonValue& value) {
  std::vector<std::string> parts;
  switch (value.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return value.boolean ? "true" : "false";
    case Kind::number:
      return value.text;
    case Kind::string:
      return problem::json_string(value.text);
    case Kind::array:
      for (const JsonValue& item : value.items) parts.push_back(written(item));
      return fmt::format("[{}]", fmt::join(parts, ", "));
    case Kind::object:
      for (std::size_t i = 0; i < value.keys.size(); ++i)
        parts.push_back(problem::json_string(value.keys[i]) + ": " + written(value.items[i]));
      return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  return {};
}

class ManifestReader {
 public:
  ManifestReader(CudaManifest& out, std::string folder) : out_(out), folder_(std::move(folder)) {}

  void read(const JsonValue& cuda) {
    ObjectReader reader(cuda, "cuda");
    read_modules(reader);
    if (cuda.find("source") != nullptr) {
      reader.string("source", out_.source);
      out_.source = beside(out_.source);
      read_options(reader);
    }
    if (out_.modules.empty() && out_.source.empty()) throw Error("cuda.modules and cuda.source are missing; allowed: one of them, or both");
    out_.workspace = expression(reader, "workspace", Expression(0));
    const JsonValue* launches = reader.take("launches");
    if (launches == nullptr || !launches->is(Kind::array) || launches->items.empty())
      throw Error("cuda.launches is missing or empty; allowed: a list of launches");
    for (std::size_t i = 0; i < launches->items.size(); ++i) read_launch(launches->items[i], fmt::format("cuda.launches[{}]", i));
    reader.finish();
  }

 private:
  std::string beside(const std::string& file) const { return (std::filesystem::path(folder_) / file).string(); }

  void read_modules(ObjectReader& reader) {
    const JsonValue* modules = reader.take("modules");
    if (modules == nullptr) return;
    if (!modules->is(Kind::object)) reader.reject("modules", *modules, "an object: \"sm_80\": FILE, ...");
    for (std::size_t i = 0; i < modules->keys.size(); ++i) {
      const std::string& key = modules->keys[i];
      const bool good =
          key.size() > 3 && key.size() < 7 && key.starts_with("sm_") && key.find_first_not_of("0123456789", 3) == std::string::npos;
      if (!good) throw Error(fmt::format("cuda.modules holds {}; allowed: sm_80, sm_90, ...", problem::shown(key)));
      if (!modules->items[i].is(Kind::string))
        throw Error(fmt::format("cuda.modules.{} is {}; allowed: a file", key, problem::describe(modules->items[i])));
      out_.modules.push_back({std::stoi(key.substr(3)), beside(modules->items[i].text)});
    }
    std::sort(out_.modules.begin(), out_.modules.end(), [](const ModuleFile& a, const ModuleFile& b) { return a.target < b.target; });
  }

  void read_options(ObjectReader& reader) {
    const JsonValue* options = reader.take("options");
    if (options == nullptr) return;
    if (!options->is(Kind::array)) reader.reject("options", *options, "a list of options of NVRTC");
    for (const JsonValue& option : options->items) {
      if (!option.is(Kind::string)) reader.reject("options", option, "a list of options of NVRTC");
      out_.options.push_back(option.text);
    }
  }

  Expression expression(const JsonValue& value, const std::string& field) const {
    if (!value.is(Kind::number) && !value.is(Kind::string))
      throw Error(fmt::format("{} is {}; allowed: an integer or an expression", field, problem::describe(value)));
    Expression parsed = Expression::parse(value.text, field);
    for (const std::string& name : parsed.names()) check_name(out_.declaration, name, field);
    return parsed;
  }
  Expression expression(ObjectReader& reader, std::string_view key, const Expression& otherwise) const {
    const JsonValue* value = reader.take(key);
    return value == nullptr ? otherwise : expression(*value, reader.field(key));
  }

  std::array<Expression, 3> extent(ObjectReader& reader, std::string_view key) const {
    const JsonValue* value = reader.take(key);
    const std::string field = reader.field(key);
    if (value == nullptr || !value->is(Kind::array) || value->items.empty() || value->items.size() > 3)
      throw Error(fmt::format("{} is {}; allowed: a list of one to three expressions", field,
                              value == nullptr ? "missing" : problem::describe(*value)));
    std::array<Expression, 3> result{Expression(1), Expression(1), Expression(1)};
    for (std::size_t i = 0; i < value->items.size(); ++i) result[i] = expression(value->items[i], fmt::format("{}[{}]", field, i));
    return result;
  }

  void read_launch(const JsonValue& value, const std::string& field) {
    ObjectReader reader(value, field);
    LaunchSpec launch;
    reader.string("entry", launch.entry);
    if (launch.entry.empty()) throw Error(field + ".entry is missing; allowed: the name of a kernel");
    if (const JsonValue* when = reader.take("when")) launch.when = expression(*when, reader.field("when"));
    launch.grid = extent(reader, "grid");
    launch.block = extent(reader, "block");
    launch.shared = expression(reader, "shared", Expression(0));
    const JsonValue* arguments = reader.take("arguments");
    if (arguments == nullptr || !arguments->is(Kind::array))
      throw Error(field + ".arguments is missing or no list; allowed: the kernel's arguments in order");
    for (std::size_t i = 0; i < arguments->items.size(); ++i)
      launch.arguments.push_back(read_argument(arguments->items[i], fmt::format("{}.arguments[{}]", field, i)));
    reader.finish();
    out_.launches.push_back(std::move(launch));
  }

  ArgumentSpec read_argument(const JsonValue& value, const std::string& field) const {
    ObjectReader reader(value, field);
    ArgumentSpec argument;
    using Type = ArgumentSpec::Kind;
    if (value.find("tensor") != nullptr) {
      constexpr problem::NameTable<Type, 2> kWhat{{{Type::data, "data"}, {Type::block_table, "block_table"}}};
      reader.string("tensor", argument.tensor);
      reader.word("what", argument.kind, kWhat);
      reader.boolean("optional", argument.optional);
      if (!passes(out_.declaration, argument.tensor))
        throw Error(fmt::format("{}.tensor is {}; these stages pass no such tensor", field, problem::shown(argument.tensor)));
    } else if (const JsonValue* offset = reader.take("workspace")) {
      argument.kind = Type::workspace, argument.value = expression(*offset, field + ".workspace");
    } else if (const JsonValue* narrow = reader.take("int32")) {
      argument.kind = Type::int32, argument.value = expression(*narrow, field + ".int32");
    } else if (const JsonValue* wide = reader.take("int64")) {
      argument.kind = Type::int64, argument.value = expression(*wide, field + ".int64");
    } else if (const JsonValue* single = reader.take("float32")) {
      argument.kind = Type::float32, read_real(*single, field + ".float32", argument);
    } else if (const JsonValue* twice = reader.take("float64")) {
      argument.kind = Type::float64, read_real(*twice, field + ".float64", argument);
    } else {
      throw Error(field + " says no kind; allowed: tensor, workspace, int32, int64, float32, float64");
    }
    reader.finish();
    return argument;
  }

  static void read_real(const JsonValue& value, const std::string& field, ArgumentSpec& argument) {
    if (value.is(Kind::number)) {
      argument.number = problem::decimal_of(value, field);
    } else if (value.is(Kind::string) && std::find(kScalars.begin(), kScalars.end(), value.text) != kScalars.end()) {
      argument.scalar = value.text;
    } else {
      throw Error(fmt::format("{} is {}; allowed: a number, {}", field, problem::describe(value), fmt::join(kScalars, ", ")));
    }
  }

  CudaManifest& out_;
  std::string folder_;
};

}  // namespace

CudaManifest parse_manifest(std::string_view json, const std::string& origin, const std::string& folder) {
  JsonValue root = problem::parse_json(json, origin);
  CudaManifest manifest;
  manifest.origin = origin;
  manifest.declaration = parse_declaration(root, origin, {"cuda"});
  manifest.declaration.device = DeviceKind::cuda;
  try {
    const JsonValue* cuda = root.find("cuda");
    if (cuda == nullptr) throw Error("cuda is missing; allowed: how to launch the kernels of a CUDA module");
    ManifestReader(manifest, folder).read(*cuda);
  } catch (const Error& error) {
    throw Error(problem::origin_prefix(origin) + error.what());
  }
  root.erase("cuda");
  root.set("device", JsonValue::string("cuda"));
  manifest.declaration_json = written(root);
  return manifest;
}

CudaManifest load_manifest(const std::string& path) {
  return parse_manifest(problem::read_small_file(path), path, std::filesystem::path(path).parent_path().string());
}

std::optional<std::int64_t> problem_integer(const equinorm_problem& problem, std::string_view name) {
  using Wide = std::pair<std::string_view, std::int64_t equinorm_problem::*>;
  static constexpr Wide kWide[] = {{"batch", &equinorm_problem::batch},
                                   {"queries", &equinorm_problem::queries},
                                   {"context", &equinorm_problem::context},
                                   {"heads", &equinorm_problem::heads},
                                   {"groups", &equinorm_problem::groups},
                                   {"latent", &equinorm_problem::latent},
                                   {"content_dim", &equinorm_problem::content_dim},
                                   {"rope_dim", &equinorm_problem::rope_dim},
                                   {"head_dim", &equinorm_problem::head_dim},
                                   {"value_dim", &equinorm_problem::value_dim},
                                   {"model_dim", &equinorm_problem::model_dim},
                                   {"query_latent", &equinorm_problem::query_latent},
                                   {"rotated_dim", &equinorm_problem::rotated_dim},
                                   {"window", &equinorm_problem::window},
                                   {"splits", &equinorm_problem::splits},
                                   {"tile", &equinorm_problem::tile}};
  using Narrow = std::pair<std::string_view, std::int32_t equinorm_problem::*>;
  static constexpr Narrow kNarrow[] = {{"attention", &equinorm_problem::attention},
                                       {"norm_scheme", &equinorm_problem::norm_scheme},
                                       {"norm_kind", &equinorm_problem::norm_kind},
                                       {"norm_weight", &equinorm_problem::norm_weight},
                                       {"latent_norm", &equinorm_problem::latent_norm},
                                       {"rope_layout", &equinorm_problem::rope_layout},
                                       {"rope_last", &equinorm_problem::rope_last},
                                       {"mask", &equinorm_problem::mask},
                                       {"sink", &equinorm_problem::sink},
                                       {"output_gate", &equinorm_problem::output_gate}};
  for (const auto& [key, field] : kWide) {
    if (key == name) return problem.*field;
  }
  for (const auto& [key, field] : kNarrow) {
    if (key == name) return problem.*field;
  }
  if (name == "capped") return problem.softcap > 0 ? 1 : 0;
  if (name == "key_statistics") return problem.norm_scheme == EQUINORM_NORM_FULL_WIDTH ? 1 : problem.groups;
  return std::nullopt;
}

bool is_manifest(const std::string& path) {
  try {
    return problem::parse_json(problem::read_small_file(path), path).find("cuda") != nullptr;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace equinorm::kernels
