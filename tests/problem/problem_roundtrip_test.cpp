// Random problems written and read back.
#include <array>
#include <random>

#include "problem/names.hpp"
#include "support.hpp"

namespace equinorm::problem {
namespace {

/// A random valid problem.
Problem random_problem(std::mt19937_64& random) {
  const auto below = [&](Index n) { return static_cast<Index>(random() % static_cast<std::uint64_t>(n)); };
  const auto decimal = [&] {
    const std::array<const char*, 6> texts{"1e-6", "0.1", "3", "1.50", "2E+3", "0.0009765625"};
    return Decimal(texts[static_cast<std::size_t>(below(6))]);
  };
  Problem p;
  p.name = "r" + std::to_string(below(1000));
  if (below(2) == 1) p.note = "caf\xc3\xa9 \"quoted\" \\";
  p.attention = below(2) == 1 ? Attention::gqa : Attention::mla;
  p.batch = 1 + below(3);
  p.context.assign(below(2) == 1 ? static_cast<std::size_t>(p.batch) : 1U, 0);
  for (Index& length : p.context) length = 20 + below(50);
  p.queries = 1 + below(9);
  p.groups = 1 + below(4);
  p.heads = p.groups * (1 + below(3));
  p.latent = p.is_mla() ? 1 + below(90) : p.latent;
  p.content_dim = p.is_mla() ? 1 + below(40) : p.content_dim;
  p.query_latent = p.is_mla() ? below(30) : 0;
  p.rope_dim = 2 + 2 * below(8);
  p.head_dim = p.is_mla() ? p.head_dim : 16 + below(10);
  p.value_dim = 1 + below(40);
  p.start = below(2) == 1 ? Start::x : Start::latent;
  p.model_dim = p.start == Start::x ? 1 + below(50) : below(2) * 33;
  p.norm.scheme =
      p.is_mla() ? kMlaSchemeNames[static_cast<std::size_t>(below(4))].first : kGqaSchemeNames[static_cast<std::size_t>(below(3))].first;
  p.norm.kind = kNormKindNames[static_cast<std::size_t>(below(2))].first;
  p.norm.weight = kNormWeightNames[static_cast<std::size_t>(below(3))].first;
  p.norm.eps = decimal();
  p.norm.latent_norm = p.is_mla() && p.start == Start::x && below(2) == 1;
  p.rope.layout = kRopeLayoutNames[static_cast<std::size_t>(below(3))].first;
  p.rope.theta = decimal();
  if (!p.is_mla()) p.rope.part = kRopePartNames[static_cast<std::size_t>(below(2))].first;
  if (p.rotated_dim() > 0 && below(2) == 1) {
    p.rope.scaling = RopeScaling{
        kScalingNames[static_cast<std::size_t>(below(2))].first, Decimal("40"), Decimal("32.0"), Decimal("1"), Decimal("1.0"), 4096};
    if (p.rope.scaling->type == RopeScaling::Type::yarn) p.rope.scaling->mscale = decimal();
  }
  p.mask.kind = kMaskKindNames[static_cast<std::size_t>(below(3))].first;
  p.mask.window = p.mask.kind == MaskKind::window ? 1 + below(20) : 0;
  if (below(2) == 1) p.scale = decimal();
  p.softcap = decimal();
  p.sink = below(2) == 1;
  p.output_gate = below(2) == 1;
  p.inputs.kind = std::string(kInputKinds[static_cast<std::size_t>(below(static_cast<Index>(kInputKinds.size())))]);
  p.inputs.seed = random();
  if (p.inputs.kind == "file") p.inputs.path = "dir/x y.safetensors";
  const std::array<Format, 5> formats{scalar::kFp16, scalar::kBf16, scalar::kFp32, scalar::kFp64, scalar::parse_format("real:113")};
  p.precision.storage = formats[static_cast<std::size_t>(below(5))];
  for (Format& format : p.precision.stored) format = formats[static_cast<std::size_t>(below(5))];
  p.precision.path = kPathNames[static_cast<std::size_t>(below(2))].first;
  p.precision.ftz = below(2) == 1;
  p.precision.order = scalar::parse_order(below(2) == 1 ? "pairwise" : "blocked:8");
  p.precision.splits = 1 + below(5);
  p.precision.tile = below(70);
  return p;
}

TEST_CASE("problem file: random problems survive writing and reading") {
  const std::uint64_t seed = 20260;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    const Problem p = random_problem(random);
    const std::string json = to_json(p);
    INFO(json);
    const Problem q = parse_problem(json, "again");
    REQUIRE(to_json(q) == json);
    REQUIRE((q.heads == p.heads && q.latent == p.latent && q.head_dim == p.head_dim && q.context == p.context &&
             q.inputs.seed == p.inputs.seed));
    REQUIRE(
        (q.norm.scheme == p.norm.scheme && q.norm.weight == p.norm.weight && q.norm.eps.text() == p.norm.eps.text() && q.note == p.note));
    REQUIRE(
        (q.precision.stored == p.precision.stored && q.precision.storage == p.precision.storage && q.precision.order == p.precision.order));
    REQUIRE((q.rope.part == p.rope.part && q.scale.has_value() == p.scale.has_value() && q.mask.window == p.mask.window));
  }
}

}  // namespace
}  // namespace equinorm::problem
