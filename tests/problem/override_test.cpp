#include "problem/builtin.hpp"
#include "support.hpp"

namespace equinorm::problem {
namespace {

using Catch::Contains;

std::string override_error(std::string_view field, std::string_view value) {
  Problem p;
  const std::string before = to_json(p);
  const std::string message = error_of([&] { override_field(p, field, value); });
  CHECK(to_json(p) == before);
  return message;
}

TEST_CASE("override: short names and dotted names") {
  Problem p;
  override_fields(p, {{"seed", "7"},
                      {"context", "65536"},
                      {"queries", "2"},
                      {"heads", "8"},
                      {"groups", "4"},
                      {"latent", "256"},
                      {"content_dim", "64"},
                      {"rope_dim", "32"},
                      {"value_dim", "48"},
                      {"model_dim", "100"},
                      {"inputs", "uniform"},
                      {"accumulate", "fp64"},
                      {"tile", "64"},
                      {"splits", "3"},
                      {"eps", "1e-05"},
                      {"softcap", "30.0"},
                      {"scale", "0.25"},
                      {"norm.scheme", "unified"},
                      {"precision.alpha", "bf16"},
                      {"order", "blocked:8"},
                      {"rope.scaling", R"({"type": "linear", "factor": 8})"},
                      {"sink", "true"},
                      {"name", "12"}});
  CHECK(
      (p.inputs.seed == 7 && p.context == std::vector<Index>{65536} && p.queries == 2 && p.heads == 8 && p.groups == 4 && p.latent == 256));
  CHECK((p.content_dim == 64 && p.rope_dim == 32 && p.value_dim == 48 && p.model_dim == 100 && p.inputs.kind == "uniform"));
  CHECK((p.precision.accumulate == scalar::kFp64 && p.precision.tile == 64 && p.precision.splits == 3 && p.norm.eps.text() == "1e-05"));
  CHECK((p.softcap.text() == "30.0" && p.scale->text() == "0.25" && p.norm.scheme == NormScheme::unified && p.sink && p.name == "12"));
  CHECK((p.precision.of(Stored::alpha) == scalar::kBf16 && p.precision.order.block == 8 && p.rope.scaling->factor.text() == "8"));
  override_field(p, "rope.scaling.factor", "4");
  CHECK(p.rope.scaling->factor.text() == "4");
  override_field(p, "rope.scaling", "null");
  CHECK(!p.rope.scaling);
  override_field(p, "scale", "default");
  CHECK(!p.scale);
}

TEST_CASE("override: a list of contexts") {
  Problem p;
  override_fields(p, {{"batch", "3"}, {"context", "5,0, 17"}});
  CHECK(p.context == std::vector<Index>{5, 0, 17});
  override_fields(p, {{"context", "[1, 2]"}, {"batch", "2"}});
  CHECK(p.context == std::vector<Index>{1, 2});
  CHECK_THAT(error_of([&] { override_field(p, "batch", "4"); }), Contains("context is a list of 2"));
}

TEST_CASE("override: storage takes the output's format with it, unless that was chosen") {
  Problem p;
  override_field(p, "storage", "fp16");
  CHECK((p.precision.storage == scalar::kFp16 && p.precision.of(Stored::o) == scalar::kFp16));
  override_field(p, "precision.o", "fp32");
  override_field(p, "storage", "bf16");
  CHECK((p.precision.storage == scalar::kBf16 && p.precision.of(Stored::o) == scalar::kFp32));
}

TEST_CASE("override: dependent keys go with the value they belong to") {
  Problem p;
  override_fields(p, {{"mask.kind", "window"}, {"window", "9"}, {"inputs", "file"}, {"inputs.path", "x"}});
  CHECK((p.mask.window == 9 && p.inputs.path == "x"));
  override_field(p, "mask.kind", "none");
  override_field(p, "inputs", "normal");
  CHECK((p.mask.kind == MaskKind::none && p.mask.window == 0 && p.inputs.path.empty()));
  override_fields(p, {{"head_dim", "64"}, {"attention", "gqa"}});
  CHECK((p.attention == Attention::gqa && p.head_dim == 64 && p.norm.scheme == NormScheme::per_head));
  override_field(p, "attention", "mla");
  CHECK((p.is_mla() && p.norm.scheme == NormScheme::blockwise));
}

TEST_CASE("override: from the hidden state in one go") {
  Problem p = *find_builtin("deepseek-v3");
  override_fields(p, {{"start", "x"}, {"model_dim", "7168"}, {"norm.latent_norm", "true"}});
  CHECK((p.start == Start::x && p.query_latent == 1536 && p.norm.latent_norm));
}

TEST_CASE("override: errors leave the problem alone") {
  CHECK_THAT(override_error("heads", "0"), Contains("heads is 0; allowed: an integer from 1"));
  CHECK_THAT(override_error("heads", "many"), Contains("heads is \"many\"; allowed: an integer"));
  CHECK_THAT(override_error("heds", "4"), Contains("unknown key \"heds\"; did you mean heads?"));
  CHECK_THAT(override_error("nrom.eps", "1"), Contains("unknown key \"nrom\"; did you mean norm?"));
  CHECK_THAT(override_error("heads.x", "1"), Contains("heads is 16, which has no members; cannot set \"heads.x\""));
  CHECK_THAT(override_error("rope.scaling.factor", "8"), Contains("rope.scaling is null, which has no members"));
  CHECK_THAT(override_error("head_dim", "64"), Contains("belongs to attention \"gqa\""));
  CHECK_THAT(override_error("context", "5,x"), Contains("context: parse error"));
  CHECK_THAT(override_error("rope.scaling", "{"), Contains("rope.scaling: parse error"));
  CHECK_THAT(override_error("", "1"), Contains("unknown key \"\""));
  CHECK_THAT(override_error("storage", "fp8"), Contains("precision.storage: "));
  CHECK_THAT(override_error("storage", std::string(1, '\xff')), Contains("precision.storage"));
}

}  // namespace
}  // namespace equinorm::problem
