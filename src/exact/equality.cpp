#include "exact/equality.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "exact/compare-inl.hpp"
#include "exact/field_arithmetic.hpp"
#include "exact/random_point.hpp"
#include "exact/rational_arithmetic.hpp"
#include "paths/mutants.hpp"

namespace equinorm::exact {
namespace {

using paths::Combine;
using problem::PathKind;
using problem::Problem;

/// The probability of a false 'equal' must stay below 2^-40.
constexpr double kRequiredLog2 = -40;

const paths::Wanted& compared_tensors() {
  static const paths::Wanted names{"alpha_k", "alpha_q", "logits", "lse", "p", "o", "o_gated", "y"};
  return names;
}

/// One random point, or what a block needs of it, through both forms.
template <class A, class ToString>
FieldPiece run_round(const A& ar, const Problem& problem, int round, const problem::Block& block, const PlanPair& plans,
                     std::string_view mutant, const ToString& to_string) {
  const Problem part = problem::block_problem(problem, block);
  const auto point = random_point(ar, problem, block);
  const auto right = paths::make_formula<A>("");
  const auto other = paths::make_formula<A>(mutant);
  const auto explicit_out = paths::run_path(ar, PathKind::explicit_form, part, plans.explicit_plan, point, *right, compared_tensors());
  const auto absorbed_out = paths::run_path(ar, PathKind::absorbed_form, part, plans.absorbed_plan, point, *other, compared_tensors());
  FieldPiece piece;
  piece.round = round;
  compare_outputs(part, block, explicit_out, absorbed_out, to_string, piece);
  return piece;
}

/// Adds a round, which is one or more of its pieces.
void add_round(std::span<const FieldPiece> pieces, Equality& result) {
  ++result.rounds;
  const FieldPiece* first = nullptr;
  for (const FieldPiece& piece : pieces) {
    if (!piece.departure) continue;
    const std::size_t step = piece.equal_elements.size(), best = first == nullptr ? step + 1 : first->equal_elements.size();
    if (step < best || (step == best && piece.departure->index < first->departure->index)) first = &piece;
  }
  for (const FieldPiece& piece : pieces) {
    const std::size_t steps = first == nullptr ? piece.equal_elements.size() : first->equal_elements.size();
    for (std::size_t step = 0; step < steps; ++step) result.elements += piece.equal_elements.at(step);
  }
  if (first == nullptr) return;
  result.departure = first->departure;
  result.equal = Truth::no;
}

PlanPair mutated_plans(const Problem& problem, int round, std::string_view mutant) {
  PlanPair plans = legal_plans(problem, round);
  if (!mutant.empty()) {
    const paths::Mutant& entry = paths::find_mutant(mutant);
    if (entry.adjust != nullptr) entry.adjust(problem, plans.absorbed_plan);
  }
  return plans;
}

/// How many times the reference of one row's softmax can change.
double reference_count(const Problem& problem, const Plan& plan) {
  const double context = static_cast<double>(problem.max_context());
  const double tiles = plan.precision.tile > 0 ? std::ceil(context / static_cast<double>(plan.precision.tile)) : 1;
  return tiles + static_cast<double>(plan.precision.splits) + 2;
}

}  // namespace

std::string stage_of(const std::string& tensor) {
  if (tensor == "alpha_k" || tensor == "k_hat" || tensor == "k_deferred" || tensor == "k_rope_cached") return "cache_write";
  if (tensor == "alpha_q" || tensor == "q_hat" || tensor == "q_tilde" || tensor == "q_rope_hat") return "query";
  if (tensor == "logits") return "score";
  if (tensor == "p" || tensor == "lse") return "softmax";
  if (tensor == "u") return "value";
  return "output";
}

PlanPair legal_plans(const Problem& problem, int round) {
  PlanPair plans;
  const Index tile = std::max<Index>(2, std::min<Index>(64, problem.max_context() / 4));
  problem::Precision& left = plans.explicit_plan.precision;
  problem::Precision& right = plans.absorbed_plan.precision;
  using Kind = scalar::SumOrder::Kind;
  left = right = problem::Precision{};
  plans.absorbed_plan.fold_alpha_q = round % 2 == 0;
  switch (round % 4) {
    case 0:  // one pass against online tiles
      right.tile = tile;
      break;
    case 1:  // online tiles against splits joined by their LSE
      left.tile = 2 * tile - 1;
      right.splits = 3;
      right.tile = tile + 1;
      plans.absorbed_plan.combine = Combine::lse;
      left.order.kind = Kind::pairwise;
      break;
    case 2:  // LSE splits against unnormalised splits, more of them than some rows have tokens
      left.splits = 2;
      plans.explicit_plan.combine = Combine::lse;
      right.splits = 7;
      right.order = {Kind::blocked, 3, {}};
      break;
    default:  // unnormalised splits of tiles against one pass
      left.splits = 5;
      left.tile = tile;
      right.order.kind = Kind::pairwise;
      break;
  }
  return plans;
}

// Why the bound holds. Call two functions different if some output element differs as an expression in the inputs and in the values of the
// uninterpreted functions, one variable for each (function, argument). Take the first such element in data-flow order; everything before it
// is equal as an expression. Its value is a rational function over variables drawn uniformly from F_p, and the uninterpreted functions are
// functions chosen at random (a keyed hash stands for them), so their values are further uniform variables as long as different arguments
// have different values. Numerators and denominators of all arguments have degree at most d = 64 + 4 (rotated pairs) in inputs and earlier
// function values (longest chain: x, latent norm, up-projection, QK-norm, logit, cap; a table point (1 - a^2)/(1 + a^2) of the query's and
// one of the key's position per pair, brought to a common denominator). By Schwartz-Zippel two different arguments meet with probability at
// most 2d/p.
// - Up to the logits at most 8 arguments enter an element: at most 28 pairs, and then a non-zero difference of degree 2d: (28 + 1) 2d / p.
// - After them the difference of two averages over the weights X_t = h(l_t) is a polynomial of degree at most D = 2(R + 1) in the X_t, R
// the
//   number of reference changes. If one pair of logits meets, the difference can only vanish for that reason if X_t - X_t' divides it: at
//   most D pairs, D 2d/p. Two pairs or more meet with probability at most N^2/2 (2d/p)^2, N = T^2/2: each involves a latent of its own.
//   Otherwise Schwartz-Zippel again: (D + 2d) / p. Gate and output projection add a factor that is linear in fresh variables, counted in
//   the last 2d.
double field_round_log2(const Problem& problem, const PlanPair& plans) {
  const double degree = 2 * (64 + 4 * static_cast<double>(problem.rotated_dim() / 2));
  const double p = static_cast<double>(scalar::kFieldPrime) / 2;  // 0 is drawn as 1, so one value has probability 2/p
  const double references = std::max(reference_count(problem, plans.explicit_plan), reference_count(problem, plans.absorbed_plan));
  const double weight_degree = 2 * (references + 1);
  const double context = static_cast<double>(problem.max_context());
  const double pairs = 0.5 * context * context;
  const double meeting = pairs * degree / p;
  const double probability = 29 * degree / p + weight_degree * degree / p + 0.5 * meeting * meeting + (weight_degree + degree) / p;
  return std::min(0.0, std::log2(probability));
}

int field_rounds(const Problem& problem, std::string_view mutant, int min_rounds) {
  double total = 0;
  int rounds = 0;
  for (; rounds < min_rounds || total > kRequiredLog2; ++rounds) {
    const double round_log2 = field_round_log2(problem, mutated_plans(problem, rounds, mutant));
    if (!(round_log2 < -1))
      throw Error("context: too long for an exact check over the prime field (probability bound above 1/2 per round)");
    total += round_log2;
  }
  return rounds;
}

FieldPiece check_piece(const Problem& problem, std::uint64_t seed, std::string_view mutant, int round, const problem::Block& block) {
  const auto show = [](scalar::FieldElement x) { return fmt::format("{} mod p", x.value); };
  const FieldArithmetic ar(mix(seed, static_cast<std::uint64_t>(round)));
  return run_round(ar, problem, round, block, mutated_plans(problem, round, mutant), mutant, show);
}

Equality join_pieces(const Problem& problem, std::string_view mutant, std::vector<FieldPiece> pieces) {
  std::stable_sort(pieces.begin(), pieces.end(), [](const FieldPiece& a, const FieldPiece& b) { return a.round < b.round; });
  Equality result;
  for (auto begin = pieces.begin(); begin != pieces.end() && result.equal != Truth::no;) {
    const auto end = std::find_if(begin, pieces.end(), [&](const FieldPiece& piece) { return piece.round != begin->round; });
    add_round({begin, end}, result);
    result.false_equal_log2 += field_round_log2(problem, mutated_plans(problem, begin->round, mutant));
    begin = end;
  }
  if (result.equal == Truth::unknown) result.equal = Truth::yes;
  return result;
}

Equality check_in_field(const Problem& problem, std::uint64_t seed, std::string_view mutant, int min_rounds) {
  std::vector<FieldPiece> pieces;
  const int rounds = field_rounds(problem, mutant, min_rounds);
  for (int round = 0; round < rounds; ++round) {
    pieces.push_back(check_piece(problem, seed, mutant, round, {}));
    if (pieces.back().departure) break;
  }
  return join_pieces(problem, mutant, std::move(pieces));
}

Equality check_in_rationals(const Problem& problem, std::uint64_t seed, std::string_view mutant, int rounds) {
  const Problem small = shrink(problem);
  Equality result;
  const auto show = [](const scalar::Rational& x) {
    const std::string text = x.str();
    return text.size() <= 40 ? text : fmt::format("{:.17g}", static_cast<double>(x));
  };
  for (int round = 0; result.equal != Truth::no && round < rounds; ++round) {
    const PlanPair plans = mutated_plans(small, round, mutant);
    const RationalArithmetic ar(mix(seed, static_cast<std::uint64_t>(round)), plans.absorbed_plan.precision.order);
    const FieldPiece piece = run_round(ar, small, round, {}, plans, mutant, show);
    add_round({&piece, 1}, result);
  }
  if (result.equal == Truth::unknown) result.equal = Truth::yes;
  return result;
}

}  // namespace equinorm::exact
