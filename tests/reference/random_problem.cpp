#include "reference/random_problem.hpp"

#include <algorithm>
#include <sstream>

#include "reference/any_scheme.hpp"
#include "reference/dice.hpp"

namespace equinorm::reference {
namespace {

using namespace problem;

Decimal one_decimal(Dice& dice, std::initializer_list<const char*> choices) { return Decimal(dice.one_of(choices)); }

void draw_dimensions(Dice& dice, Problem& problem) {
  problem.attention = dice.one_in(3) ? Attention::gqa : Attention::mla;
  problem.start = dice.one_in(3) ? Start::x : Start::latent;
  problem.batch = dice.between(1, 3);
  problem.queries = dice.between(1, 4);
  problem.groups = dice.between(1, 3);
  problem.heads = problem.groups * dice.between(1, 6 / problem.groups);
  problem.latent = dice.between(1, 10);
  problem.content_dim = dice.between(1, 8);
  problem.head_dim = dice.between(2, 10);
  problem.value_dim = dice.between(1, 6);
  problem.rope_dim = 2 * dice.between(0, problem.is_mla() ? 3 : problem.head_dim / 2);
  problem.model_dim = problem.start == Start::x || dice.one_in(2) ? dice.between(1, 7) : 0;
  if (problem.is_mla() && problem.start == Start::x && dice.one_in(2)) problem.query_latent = dice.between(1, 5);
}

void draw_norm(Dice& dice, Problem& problem) {
  Norm& norm = problem.norm;
  norm.scheme = any_scheme(dice, problem.attention);
  norm.kind = dice.one_in(3) ? NormKind::l2 : NormKind::rms;
  norm.weight = dice.one_of({NormWeight::plain, NormWeight::plain, NormWeight::zero_centred, NormWeight::none});
  norm.eps = one_decimal(dice, {"1e-6", "1e-5", "0.01", "0.3"});
  norm.latent_norm = problem.is_mla() && problem.start == Start::x && dice.one_in(2);
}

void draw_rope(Dice& dice, Problem& problem) {
  Rope& rope = problem.rope;
  rope.layout = dice.one_of({RopeLayout::interleaved, RopeLayout::half, RopeLayout::none});
  if (problem.rope_dim == 0) rope.layout = RopeLayout::none;
  rope.theta = one_decimal(dice, {"10000.0", "500000", "7.5"});
  if (!problem.is_mla() && dice.one_in(2)) rope.part = RopePart::last;
  if (rope.layout == RopeLayout::none || !dice.one_in(2)) return;
  RopeScaling scaling;
  scaling.type = dice.one_of({RopeScaling::Type::linear, RopeScaling::Type::yarn});
  scaling.factor = one_decimal(dice, {"2", "40", "1.5"});
  scaling.mscale = one_decimal(dice, {"1.0", "0.707"});
  scaling.original_context = dice.between(4, 4096);
  rope.scaling = scaling;
}

void draw_context(Dice& dice, Problem& problem) {
  problem.mask.kind = dice.one_of({MaskKind::causal, MaskKind::causal, MaskKind::window, MaskKind::none});
  if (problem.mask.kind == MaskKind::window) problem.mask.window = dice.between(1, 6);
  // Without a mask a rotated query needs a position, and the queries of x are tokens of x: then no row is shorter than S.
  const bool needs_position = problem.start == Start::x || (problem.mask.kind == MaskKind::none && problem.rotated_dim() > 0);
  const Index shortest = needs_position ? problem.queries : 0;
  problem.context = {dice.one_in(4) ? dice.between(std::max<Index>(shortest, 1), 4) : dice.between(std::max<Index>(shortest, 1), 12)};
  if (dice.one_in(2)) {
    problem.context.assign(static_cast<std::size_t>(problem.batch), 0);
    for (Index& length : problem.context)
      length = dice.one_in(4) ? std::max<Index>(shortest, dice.between(0, 1)) : dice.between(shortest, 12);
    problem.context[static_cast<std::size_t>(dice.between(0, problem.batch - 1))] = dice.between(std::max<Index>(shortest, 1), 12);
  }
}

void draw_logits(Dice& dice, Problem& problem) {
  if (dice.one_in(3)) problem.scale = one_decimal(dice, {"0.25", "1.5", "0.088388347648318447"});
  if (dice.one_in(3)) problem.softcap = one_decimal(dice, {"0.5", "5", "30"});
  problem.sink = dice.one_in(3);
  problem.output_gate = dice.one_in(3);
}

void draw_precision(Dice& dice, Precision& precision) {
  precision.path = dice.one_of({PathKind::explicit_form, PathKind::absorbed_form});
  precision.storage = dice.one_of({scalar::kBf16, scalar::kFp16, scalar::kFp32});
  precision.stored = Precision::default_stored(precision.storage);
  for (const Stored tensor : {Stored::alpha, Stored::q_tilde, Stored::k_hat, Stored::q_hat, Stored::p, Stored::u})
    if (dice.one_in(4)) precision.of(tensor) = dice.one_of({scalar::kBf16, scalar::kFp16});
  precision.order.kind = dice.one_of({SumOrder::Kind::any, SumOrder::Kind::sequential, SumOrder::Kind::pairwise, SumOrder::Kind::blocked});
  if (precision.order.kind == SumOrder::Kind::blocked) precision.order.block = dice.between(1, 4);
  precision.splits = dice.one_in(2) ? dice.between(2, 4) : 1;
  precision.tile = dice.one_in(2) ? dice.between(1, 5) : 0;
}

}  // namespace

Problem random_small_problem(std::uint64_t seed) {
  Dice dice(seed);
  Problem problem;
  problem.name = "random-" + std::to_string(seed);
  draw_dimensions(dice, problem);
  draw_norm(dice, problem);
  draw_rope(dice, problem);
  draw_context(dice, problem);
  draw_logits(dice, problem);
  draw_precision(dice, problem.precision);
  problem.inputs.seed = seed;
  validate(problem);
  return problem;
}

std::string describe(const Problem& problem) {
  std::ostringstream line;
  line << problem.name << ": " << to_string(problem.attention) << (problem.start == Start::x ? " from x" : "") << " B" << problem.batch
       << " S" << problem.queries << " T";
  for (const Index length : problem.context) line << ' ' << length;
  line << " H" << problem.heads << " G" << problem.groups << " r" << problem.latent << " d_c" << problem.content_dim << " d_r"
       << problem.rope_dim << " d" << problem.head_dim << " d_v" << problem.value_dim << " model " << problem.model_dim << " query latent "
       << problem.query_latent << ", " << to_string(problem.norm.scheme) << ' ' << to_string(problem.norm.kind) << ' '
       << to_string(problem.norm.weight) << " eps " << problem.norm.eps.text() << (problem.norm.latent_norm ? " latent norm" : "")
       << ", rope " << to_string(problem.rope.layout) << (problem.rope.part == RopePart::last ? " last" : "") << ", mask "
       << to_string(problem.mask.kind) << ' ' << problem.mask.window << ", scale " << (problem.scale ? problem.scale->text() : "default")
       << " softcap " << problem.softcap.text() << (problem.sink ? " sink" : "") << (problem.output_gate ? " gate" : "");
  return line.str();
}

}  // namespace equinorm::reference
