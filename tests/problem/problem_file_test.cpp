#include "problem/problem_file.hpp"

#include <filesystem>
#include <fstream>

#include "problem/names.hpp"
#include "support.hpp"

namespace equinorm::problem {
namespace {

using Catch::Contains;

TEST_CASE("problem file: the documented example is all defaults") {
  const Problem written = parse_problem(R"({
  "name": "paper-tp8",
  "attention": "mla", "start": "latent",
  "batch": 1, "queries": 1, "context": 4096,
  "heads": 16, "groups": 16, "latent": 512, "content_dim": 128, "rope_dim": 64, "value_dim": 128, "model_dim": 0, "query_latent": 0,
  "norm":  {"scheme": "blockwise", "kind": "rms", "weight": "plain", "eps": 1e-6, "latent_norm": false},
  "rope":  {"layout": "interleaved", "theta": 10000.0, "scaling": null},
  "mask":  {"kind": "causal", "window": 0},
  "scale": "default", "softcap": 0, "sink": false, "output_gate": false,
  "inputs": {"kind": "normal", "seed": 1},
  "precision": {"path": "absorbed", "storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "alpha": "fp32", "q_tilde": "fp32", "p": "fp32",
                "order": "any"}
})",
                                        "example");
  const Problem empty = parse_problem(R"({"name": "paper-tp8"})", "empty");
  Problem built;
  built.name = "paper-tp8";
  CHECK(to_json(written) == to_json(empty));
  CHECK(to_json(built) == to_json(empty));
  CHECK(written.norm.eps.text() == "1e-6");
  CHECK(written.norm.eps.value() == scalar::Rational(1, 1000000));
  CHECK(written.precision.of(Stored::o) == scalar::kBf16);
  CHECK(written.precision.of(Stored::p) == scalar::kFp32);
}

TEST_CASE("problem file: every key is read") {
  const Problem p =
      parse_problem(R"({"name": "n", "note": "why", "start": "x", "batch": 2, "queries": 3, "context": [7, 5], "heads": 6, "groups": 3,
    "latent": 8, "content_dim": 4, "rope_dim": 2, "value_dim": 5, "model_dim": 9, "query_latent": 10,
    "norm": {"scheme": "full_width", "kind": "l2", "weight": "zero_centred", "eps": 0.10, "latent_norm": true},
    "rope": {"layout": "half", "theta": 5e5, "scaling": {"type": "yarn", "factor": 40, "beta_fast": 31, "beta_slow": 2, "original_context": 99,
             "mscale": 0.707}},
    "mask": {"kind": "window", "window": 11}, "scale": 0.125, "softcap": 50.0, "sink": true, "output_gate": true,
    "inputs": {"kind": "uniform", "seed": 18446744073709551615},
    "precision": {"path": "explicit", "storage": "fp16", "accumulate": "fp64", "statistics": "real:100", "alpha": "bf16", "g": "fp16", "o": "fp32",
                  "ftz": true, "order": "blocked:4", "splits": 3, "tile": 64}})",
                    "p");
  CHECK(p.note == "why");
  CHECK(p.start == Start::x);
  CHECK(p.context == std::vector<Index>{7, 5});
  CHECK((p.heads == 6 && p.groups == 3 && p.latent == 8 && p.content_dim == 4 && p.rope_dim == 2 && p.value_dim == 5 && p.model_dim == 9));
  CHECK(p.query_latent == 10);
  CHECK((p.norm.scheme == NormScheme::full_width && p.norm.kind == NormKind::l2 && p.norm.weight == NormWeight::zero_centred));
  CHECK((p.norm.eps.text() == "0.10" && p.norm.latent_norm));
  CHECK((p.rope.layout == RopeLayout::half && p.rope.theta.text() == "5e5"));
  REQUIRE(p.rope.scaling);
  CHECK((p.rope.scaling->type == RopeScaling::Type::yarn && p.rope.scaling->mscale.text() == "0.707" &&
         p.rope.scaling->original_context == 99));
  CHECK((p.rope.scaling->beta_fast.text() == "31" && p.rope.scaling->beta_slow.text() == "2" && p.rope.scaling->factor.text() == "40"));
  CHECK((p.mask.kind == MaskKind::window && p.mask.window == 11));
  CHECK((p.scale->text() == "0.125" && p.softcap.text() == "50.0" && p.sink && p.output_gate));
  CHECK((p.inputs.kind == "uniform" && p.inputs.seed == 18446744073709551615ULL));
  CHECK((p.precision.path == PathKind::explicit_form && p.precision.storage == scalar::kFp16 && p.precision.accumulate == scalar::kFp64));
  CHECK(scalar::to_string(p.precision.statistics) == "real:100");
  CHECK((p.precision.of(Stored::alpha) == scalar::kBf16 && p.precision.of(Stored::g) == scalar::kFp16 &&
         p.precision.of(Stored::o) == scalar::kFp32));
  CHECK((p.precision.ftz && p.precision.order.block == 4 && p.precision.splits == 3 && p.precision.tile == 64));
  CHECK(to_json(parse_problem(to_json(p), "again")) == to_json(p));
}

TEST_CASE("problem file: gqa has its own dims and default scheme") {
  const Problem p =
      parse_problem(R"({"attention": "gqa", "head_dim": 96, "rope_dim": 32, "rope": {"layout": "half", "part": "last"}})", "p");
  CHECK((p.norm.scheme == NormScheme::per_head && p.head_dim == 96 && p.rope.part == RopePart::last && p.key_dim() == 96));
  const std::string json = to_json(p);
  CHECK(json.find("latent\":") == std::string::npos);
  CHECK_THAT(json, Contains("\"head_dim\": 96"));
  CHECK(to_json(parse_problem(json, "again")) == json);
}

TEST_CASE("problem file: helpers") {
  Problem p;
  p.heads = 12;
  p.groups = 3;
  p.batch = 2;
  p.context = {5, 9};
  p.queries = 6;
  CHECK(p.max_context() == 9);
  CHECK((p.group_of(0) == 0 && p.group_of(3) == 0 && p.group_of(4) == 1 && p.group_of(11) == 2));
  CHECK((p.query_position(0, 0) == -1 && p.query_position(1, 5) == 8));
  p.context.clear();
  CHECK(p.max_context() == 0);
  CHECK(to_string(NormWeight::zero_centred) == "zero_centred");
  CHECK(to_string(static_cast<MaskKind>(77)) == "?");
}

TEST_CASE("problem file: errors name the field, the value and what is allowed") {
  const std::vector<std::pair<std::string, std::string>> table{
      {R"({"norm": {"scheme": "blokwise"}})", "p.json: norm.scheme is \"blokwise\"; allowed: blockwise, unified, full_width, none"},
      {R"({"attention": "gqa", "norm": {"scheme": "blockwise"}})", "norm.scheme is \"blockwise\"; allowed: full_width, per_head, none"},
      {R"({"norm": {"scheme": "per_head"}})", "norm.scheme is \"per_head\"; allowed: blockwise"},
      {R"({"attention": "mha"})", "attention is \"mha\"; allowed: mla, gqa"},
      {R"({"start": 1})", "start is 1; allowed: latent, x"},
      {R"({"norm": {"kind": "mean"}})", "norm.kind is \"mean\"; allowed: rms, l2"},
      {R"({"norm": {"weight": null}})", "norm.weight is null; allowed: plain, zero_centred, none"},
      {R"({"rope": {"layout": "pairs"}})", "rope.layout is \"pairs\"; allowed: interleaved, half, none"},
      {R"({"mask": {"kind": "full"}})", "mask.kind is \"full\"; allowed: none, causal, window"},
      {R"({"headz": 4})", "unknown key \"headz\"; did you mean heads?"},
      {R"({"norm": {"epsilon": 1}})", "unknown key \"epsilon\" in norm; allowed: scheme, kind, weight, eps, latent_norm"},
      {R"({"precision": {"qtilde": "fp32"}})", "unknown key \"qtilde\" in precision; did you mean q_tilde?"},
      {R"({"rope": {"scaling": {"type": "linear", "factor": 2, "mscale": 1}}})", "unknown key \"mscale\" in rope.scaling"},
      {R"({"attention": "gqa", "latent": 512})", "key \"latent\" belongs to attention \"mla\"; attention is \"gqa\""},
      {R"({"attention": "gqa", "content_dim": 1})", "key \"content_dim\" belongs to attention \"mla\""},
      {R"({"attention": "gqa", "query_latent": 1})", "key \"query_latent\" belongs to attention \"mla\""},
      {R"({"head_dim": 128})", "key \"head_dim\" belongs to attention \"gqa\"; attention is \"mla\""},
      {R"({"rope": {"part": "last"}})", "rope.part is \"last\"; allowed: only with attention \"gqa\""},
      {R"([])", "p.json: file is a list; allowed: an object"},
      {R"({"norm": 3})", "norm is 3; allowed: an object"},
      {R"({"heads": "16"})", "heads is \"16\"; allowed: an integer"},
      {R"({"heads": 16.0})", "heads is 16.0; allowed: an integer"},
      {R"({"heads": 99999999999999999999})", "heads is 99999999999999999999; allowed: an integer"},
      {R"({"heads": 0})", "heads is 0; allowed: an integer from 1 to 16777216"},
      {R"({"heads": 16, "groups": 5})", "heads is 16; allowed: a multiple of groups (5)"},
      {R"({"groups": 32})", "heads is 16; allowed: a multiple of groups (32)"},
      {R"({"batch": 0})", "batch is 0; allowed"},
      {R"({"queries": -1})", "queries is -1; allowed"},
      {R"({"latent": 16777217})", "latent is 16777217; allowed: an integer from 1 to 16777216"},
      {R"({"content_dim": 0})", "content_dim is 0; allowed"},
      {R"({"value_dim": 0})", "value_dim is 0; allowed"},
      {R"({"rope_dim": -2})", "rope_dim is -2; allowed"},
      {R"({"rope_dim": 63})", "rope_dim is 63; allowed: an even number (or rope.layout none)"},
      {R"({"attention": "gqa", "head_dim": 32})", "rope_dim is 64; allowed: at most head_dim (32)"},
      {R"({"context": -1})", "context is -1; allowed: an integer from 0"},
      {R"({"context": "long"})", "context is \"long\"; allowed: an integer, or a list of integers"},
      {R"({"context": [1, 2.5]})", "context is a list with 2.5; allowed"},
      {R"({"context": [1, 2]})", "context is a list of 2; allowed: one length, or a list of one length per batch row (batch is 1)"},
      {R"({"context": []})", "context is a list of 0; allowed"},
      {R"({"norm": {"eps": -1e-6}})", "norm.eps is -1e-6; allowed: a number >= 0"},
      {R"({"norm": {"eps": "1e-6"}})", "norm.eps is \"1e-6\"; allowed: a number"},
      {R"({"norm": {"eps": 1e-4000}})", "p.json: norm.eps: decimal number"},
      {R"({"norm": {"latent_norm": true}})", "norm.latent_norm is true; allowed: true only with attention \"mla\" and start \"x\""},
      {R"({"attention": "gqa", "start": "x", "model_dim": 8, "norm": {"latent_norm": true}})", "norm.latent_norm is true; allowed"},
      {R"({"start": "x"})", "model_dim is 0; allowed: an integer from 1"},
      {R"({"start": "x", "model_dim": 8, "context": 3, "queries": 4})",
       "queries is 4; allowed: at most the shortest context (3) with start \"x\""},
      {R"({"start": "x", "model_dim": 8, "batch": 2, "context": [9, 3], "queries": 4})",
       "queries is 4; allowed: at most the shortest context (3)"},
      {R"({"rope": {"theta": 0}})", "rope.theta is 0; allowed: a number > 0"},
      {R"({"rope": {"scaling": {"factor": 2}}})", "rope.scaling.type is missing; allowed: linear, yarn"},
      {R"({"rope": {"scaling": {"type": "yarn"}}})", "rope.scaling.factor is missing"},
      {R"({"rope": {"scaling": {"type": "ntk", "factor": 2}}})", "rope.scaling.type is \"ntk\"; allowed: linear, yarn"},
      {R"({"rope": {"scaling": {"type": "linear", "factor": 0}}})", "rope.scaling.factor is 0; allowed: a number > 0"},
      {R"({"rope": {"scaling": {"type": "yarn", "factor": 0.5}}})", "rope.scaling.factor is 0.5; allowed: a number >= 1 with yarn"},
      {R"({"rope": {"scaling": {"type": "yarn", "factor": 4, "beta_slow": 0}}})", "rope.scaling.beta_slow is 0; allowed"},
      {R"({"rope": {"scaling": {"type": "yarn", "factor": 4, "beta_fast": 1, "beta_slow": 2}}})",
       "rope.scaling.beta_fast is 1; allowed: a number >= beta_slow (2)"},
      {R"({"rope": {"scaling": {"type": "yarn", "factor": 4, "mscale": -1}}})", "rope.scaling.mscale is -1; allowed"},
      {R"({"rope": {"scaling": {"type": "yarn", "factor": 4, "original_context": 0}}})", "rope.scaling.original_context is 0; allowed"},
      {R"({"rope": {"layout": "none", "scaling": {"type": "linear", "factor": 2}}})",
       "rope.scaling is given; allowed: null where nothing is rotated"},
      {R"({"rope_dim": 0, "rope": {"scaling": {"type": "linear", "factor": 2}}})", "rope.scaling is given; allowed: null"},
      {R"({"mask": {"kind": "window"}})", "mask.window is 0; allowed: an integer from 1"},
      {R"({"mask": {"kind": "causal", "window": 5}})", "mask.window is 5; allowed: 0 (only mask.kind \"window\" has a window)"},
      {R"({"scale": "auto"})", "scale is \"auto\"; allowed: \"default\" or a number"},
      {R"({"scale": null})", "scale is null; allowed: \"default\" or a number"},
      {R"({"scale": 0})", "scale is 0; allowed: \"default\" or a number > 0"},
      {R"({"softcap": -1})", "softcap is -1; allowed: a number >= 0 (0 is off)"},
      {R"({"sink": 1})", "sink is 1; allowed: true, false"},
      {R"({"inputs": {"kind": "gauss"}})", "inputs.kind is \"gauss\"; allowed: normal, uniform, planted-key"},
      {R"({"inputs": {"seed": -1}})", "inputs.seed is -1; allowed: an integer from 0 to 2^64 - 1"},
      {R"({"inputs": {"kind": "file"}})", "inputs.path is \"\"; allowed: the path of a safetensors file"},
      {R"({"inputs": {"path": "x"}})", "inputs.path is \"x\"; allowed: only with inputs.kind \"file\""},
      {R"({"precision": {"storage": "fp8"}})", "precision.storage: "},
      {R"({"precision": {"alpha": 16}})", "precision.alpha is 16; allowed: a string"},
      {R"({"precision": {"order": "blocked:0"}})", "precision.order: "},
      {R"({"precision": {"path": "both"}})", "precision.path is \"both\"; allowed: explicit, absorbed"},
      {R"({"precision": {"splits": 0}})", "precision.splits is 0; allowed: an integer from 1"},
      {R"({"precision": {"tile": -1}})", "precision.tile is -1; allowed: an integer from 0"},
      {R"({"name": ""})", "name is \"\"; allowed: 1 to 200 bytes of text without control characters"},
      {R"({"name": "a\u0007"})", "name is \"a?\"; allowed"},
      {R"({"name": 5})", "name is 5; allowed: a string"},
      {R"({"batch": 16777216, "context": 16777216})", "tensor c is too large; allowed: at most 2^40 elements"},
      {R"({"heads": 16777216, "queries": 16777216, "groups": 1})", "too large; allowed: at most 2^40 elements"},
      {R"({"queries": 1048576, "context": 1048576, "latent": 1, "content_dim": 1, "rope_dim": 2, "value_dim": 1})",
       "tensor logits is too large"},
  };
  for (const auto& [json, message] : table) {
    INFO(json);
    CHECK_THAT(parse_error(json), Contains(message));
  }
}

TEST_CASE("problem file: limits that are still allowed") {
  for (const char* json :
       {R"({"context": 0})", R"({"batch": 3, "context": [0, 1, 9]})", R"({"norm": {"eps": 0}})", R"({"rope_dim": 0})",
        R"({"rope_dim": 63, "rope": {"layout": "none"}})", R"({"queries": 9, "context": 3})", R"({"query_latent": 1536})",
        R"({"attention": "gqa", "head_dim": 32, "rope": {"layout": "none"}})", R"({"attention": "gqa", "rope_dim": 0})",
        R"({"rope": {"scaling": {"type": "yarn", "factor": 32, "beta_fast": 1, "beta_slow": 1}}})", R"({"rope": {"scaling": null}})",
        R"({"start": "x", "model_dim": 8, "context": 4, "queries": 4})", R"({"precision": {"tile": 0, "splits": 7}})"}) {
    INFO(json);
    CHECK(parse_error(json).empty());
  }
}

TEST_CASE("problem file: all input kinds are accepted") {
  for (const std::string_view kind : kInputKinds) {
    const std::string path = kind == "file" ? R"(, "path": "x.safetensors")" : "";
    CHECK(parse_error(R"({"inputs": {"kind": ")" + std::string(kind) + "\"" + path + "}}").empty());
  }
}

TEST_CASE("problem file: positions that only the inputs can supply") {
  Problem p = parse_problem(R"({"queries": 4, "batch": 2, "context": [9, 3], "mask": {"kind": "none"}})", "p");
  CHECK_THAT(error_of([&] { check_positions(p, false); }),
             Contains("queries is 4; allowed: at most the shortest context (3) under mask \"none\" with RoPE"));
  CHECK(error_of([&] { check_positions(p, true); }).empty());
  p.queries = 3;
  CHECK(error_of([&] { check_positions(p, false); }).empty());
  p.queries = 4;
  p.mask.kind = MaskKind::causal;
  CHECK(error_of([&] { check_positions(p, false); }).empty());
  p.mask.kind = MaskKind::none;
  p.rope.layout = RopeLayout::none;
  CHECK(error_of([&] { check_positions(p, false); }).empty());
}

TEST_CASE("problem file: loading takes the inputs' path from the file's folder") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "equinorm-problem-test";
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "p.json").string();
  std::ofstream(path) << R"({"inputs": {"kind": "file", "path": "x.safetensors"}})";
  CHECK(load_problem(path).inputs.path == (folder / "x.safetensors").string());
  std::ofstream(path) << R"({"inputs": {"kind": "file", "path": "/abs/x.safetensors"}})";
  CHECK(load_problem(path).inputs.path == "/abs/x.safetensors");
  std::ofstream(path) << R"({"heads": 0})";
  CHECK_THAT(error_of([&] { (void)load_problem(path); }), Contains(path + ": heads is 0"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace equinorm::problem
