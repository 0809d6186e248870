#include "paths/mutants.hpp"

#include <algorithm>

#include "problem/norm_traits.hpp"
#include "problem/spelling.hpp"
#include "scalar/error.hpp"

namespace equinorm::paths {
namespace {

using problem::MaskKind;
using problem::NormKind;
using problem::NormWeight;
using problem::Problem;
using problem::Stored;

bool always(const Problem&) { return true; }
bool normed(const Problem& p) { return problem::norm_traits(p).normed; }
bool weighted(const Problem& p) { return normed(p) && p.norm.weight != NormWeight::none; }
bool rotated(const Problem& p) { return p.rotated_dim() > 0; }
Index longest(const Problem& p) { return p.max_context(); }
bool has_rope_block(const Problem& p) { return p.is_mla() && p.rope_dim > 0; }
bool whole_statistic(const Problem& p) { return problem::norm_traits(p).over_all_heads; }
/// A statistic of each head's content block, and one of the RoPE block.
bool blockwise(const Problem& p) { return has_rope_block(p) && problem::norm_traits(p).own_rope_statistic && !whole_statistic(p); }
bool eps_differs(const Problem& p, const char* other) { return normed(p) && !(p.norm.eps == scalar::Decimal(other)); }
/// Whether the last query of the longest row sees tokens at all, and more than `n` of them.
bool sees_more_than(const Problem& p, Index n) {
  return (p.mask.kind == MaskKind::window ? std::min(longest(p), p.mask.window) : longest(p)) > n;
}
/// Width of the narrowest statistic of the content block or the whole head.
Index statistic_width(const Problem& p) {
  const Index d = p.is_mla() && !problem::norm_traits(p).spans_rope ? p.content_dim : p.key_dim();
  return whole_statistic(p) ? d * p.groups : d;
}
/// Whether some row of the softmax has nothing to sum: no token at all, or all of them masked, and no sink.
bool has_empty_row(const Problem& p) {
  for (Index b = 0; b < p.batch && !p.sink; ++b) {
    if (p.context_of(b) < (p.mask.kind == MaskKind::none ? 1 : p.queries)) return true;
  }
  return false;
}
bool has_lse(const Problem& p) { return p.sink || sees_more_than(p, 0); }
/// Whether `tensor` is declared, and computed, with more than bf16's 8 bits.
bool wider_than_bf16(const Problem& p, Stored tensor) {
  const auto wide = [](scalar::Format f) { return f.precision > scalar::kBf16.precision; };
  return wide(p.precision.of(tensor)) && wide(p.precision.statistics) && wide(p.precision.accumulate);
}
bool sums_values_wide(const Problem& p) { return sees_more_than(p, 1) && p.precision.accumulate.precision > scalar::kBf16.precision; }
/// A row with keys, all of them masked.
bool has_masked_row(const Problem& p) {
  for (Index b = 0; b < p.batch && !p.sink && p.mask.kind != MaskKind::none; ++b) {
    if (p.context_of(b) > 0 && p.context_of(b) < p.queries) return true;
  }
  return false;
}
bool has_unseen_token(const Problem& p) {
  for (Index b = 0; b < p.batch; ++b) {
    if (unseen_tokens(p, b) > 0) return true;
  }
  return false;
}
template <Stored tensor>
void store_bf16(const Problem&, Plan& plan) {
  plan.precision.of(tensor) = scalar::kBf16;
}
void store_p_fp16(const Problem&, Plan& plan) { plan.precision.of(Stored::p) = scalar::kFp16; }

void use_tiles(const Problem& p, Plan& plan) {
  if (plan.precision.tile == 0) plan.precision.tile = fault_tile(p);
}
/// The fewest splits of which one is left without a token: ceil(T / ceil(T / n)) < n.
void use_empty_split(const Problem& p, Plan& plan) {
  const Index tokens = longest(p);
  Index splits = std::max<Index>(2, plan.precision.splits);
  while (true) {
    const Index length = (tokens + splits - 1) / splits;
    if ((tokens + length - 1) / length < splits) break;
    ++splits;
  }
  plan.precision.splits = splits;
  plan.combine = Combine::lse;
}
void use_splits(const Problem&, Plan& plan) {
  plan.precision.splits = std::max<Index>(plan.precision.splits, 2);
  plan.combine = Combine::lse;
}

std::vector<Mutant> build() {
  return {
      {"last-key-dropped", "one key missing: the last", "more than one key", [](const Problem& p) { return sees_more_than(p, 1); }},
      {"last-tile-dropped", "the last tile of keys missing", "keys", [](const Problem& p) { return sees_more_than(p, 0); }},
      {"page-skipped", "the middle page of keys missing", "no window",
       [](const Problem& p) { return longest(p) > 1 && p.mask.kind != MaskKind::window; }},
      {"tile-rescale-missing", "online softmax does not rescale before the last tile", "two tiles, no window",
       [](const Problem& p) { return longest(p) > fault_tile(p) && p.mask.kind != MaskKind::window; }, use_tiles},
      {"split-average-unweighted", "splits averaged without their LSE", "two tokens, no window",
       [](const Problem& p) { return longest(p) > 1 && p.mask.kind != MaskKind::window; }, use_splits},
      {"rope-ignored", "nothing rotated", "RoPE, more than one key seen",
       [](const Problem& p) { return rotated(p) && sees_more_than(p, 1); }},
      {"rope-layout-swapped", "half for interleaved pairs, or the reverse", "more than two rotated dims",
       [](const Problem& p) { return rotated(p) && p.rotated_dim() > 2 && sees_more_than(p, 1); }},
      {"rope-before-norm", "norm weight applied after the rotation", "RoPE and norm weights",
       [](const Problem& p) { return rotated(p) && weighted(p) && longest(p) > 1; }},
      {"position-off-by-one", "key positions one too small", "RoPE, two tokens",
       [](const Problem& p) { return rotated(p) && longest(p) > 1; }},
      {"scale-128", "scale d_c^-1/2", "mla with RoPE block and default scale",
       [](const Problem& p) { return has_rope_block(p) && !p.scale; }},
      {"scale-576", "scale (r + d_r)^-1/2", "mla with default scale and r != d_c",
       [](const Problem& p) { return p.is_mla() && !p.scale && p.latent != p.content_dim; }},
      {"scale-twice", "scale applied twice", "a scale other than 1",
       [](const Problem& p) { return !p.scale || !(*p.scale == scalar::Decimal("1")); }},
      {"mscale-missing", "YaRN's mscale^2 left out of the scale", "YaRN and default scale",
       [](const Problem& p) { return problem::softmax_scale(p).yarn.has_value(); }},
      {"causal-off-by-one", "a query does not see its own position", "causal or window mask",
       [](const Problem& p) { return p.mask.kind != MaskKind::none && sees_more_than(p, 1); }},
      {"window-off-by-one", "window one key too long", "window mask, context beyond the window",
       [](const Problem& p) { return p.mask.kind == MaskKind::window && longest(p) > p.mask.window; }},
      {"softcap-after-mask", "masked keys enter at -cap", "soft-cap and masked keys",
       [](const Problem& p) {
         const bool masked = p.mask.kind == MaskKind::window ? longest(p) > p.mask.window : p.queries > 1 && longest(p) > 1;
         return !p.softcap.is_zero() && p.mask.kind != MaskKind::none && masked;
       }},
      {"sink-ignored", "the sink is not in the denominator", "a sink", [](const Problem& p) { return p.sink; }},
      {"sink-scaled", "the sink is scaled like a logit", "a sink", [](const Problem& p) { return p.sink; }},
      {"heads-swapped", "queries of heads 0 and 1 exchanged", "two heads", [](const Problem& p) { return p.heads > 1; }},
      {"rows-swapped", "query rows 0 and 1 exchanged", "two queries",
       [](const Problem& p) { return p.queries > 1 && sees_more_than(p, 1) && p.queries <= longest(p); }},
      {"wrong-group", "head h uses group h mod G", "1 < G < H", [](const Problem& p) { return p.groups > 1 && p.groups < p.heads; }},
      {"qlen-rows-equal", "all query rows use one query", "two queries",
       [](const Problem& p) { return p.queries > 1 && sees_more_than(p, 1) && p.queries <= longest(p); }},
      {"one-element", "one output element repeats its neighbour", "value_dim > 1", [](const Problem& p) { return p.value_dim > 1; }},
      {"output-times-1.003", "output scaled by 1.003", "always", always},
      {"output-zero", "output all zero", "always", always},
      {"q-norm-skipped", "queries not normalised", "a norm", normed},
      {"k-norm-skipped", "keys not normalised", "a norm", normed},
      {"gamma-k-dropped", "key weights left out", "norm weights", weighted},
      {"gamma-k-twice", "key weights applied twice", "norm weights", weighted},
      {"gamma-q-dropped", "query weights left out", "norm weights", weighted},
      {"gamma-one-plus", "1 + gamma for gamma", "plain norm weights",
       [](const Problem& p) { return weighted(p) && p.norm.weight == NormWeight::plain; }},
      {"gamma-one-minus", "gamma for 1 + gamma", "zero-centred norm weights",
       [](const Problem& p) { return weighted(p) && p.norm.weight == NormWeight::zero_centred; }},
      {"rms-after-gamma", "key statistic taken after the weights", "norm weights", [](const Problem& p) { return weighted(p); }},
      {"rms-from-latent", "key statistic taken of the latent", "mla with a norm", [](const Problem& p) { return p.is_mla() && normed(p); }},
      {"rms-wrong-head", "key statistic of the next group", "a norm per group, G > 1",
       [](const Problem& p) { return normed(p) && p.groups > 1 && !whole_statistic(p); }},
      {"rms-shifted-token", "key statistic of the next token", "a norm, two tokens",
       [](const Problem& p) { return normed(p) && longest(p) > 1; }, nullptr, kExact | kViolates, "rms-shifted-token.last-own"},
      {"rms-constant", "key statistic of token 0 for all", "a norm, two tokens",
       [](const Problem& p) { return normed(p) && longest(p) > 1; }},
      {"rms-over-192", "content mean divided by d_c + d_r", "blockwise RMS with a RoPE block",
       [](const Problem& p) { return blockwise(p) && p.norm.kind == NormKind::rms; }},
      {"alpha-on-rope", "alpha_k applied to the RoPE score too", "blockwise with a RoPE block", blockwise},
      {"alpha-k-dropped", "alpha_k left out of the score", "mla with a norm", [](const Problem& p) { return p.is_mla() && normed(p); }},
      {"alpha-k-twice", "alpha_k applied twice in the score", "a norm", normed},
      {"rms-over-576", "key statistic taken of [c; k_rope]", "mla with a norm and a RoPE block",
       [](const Problem& p) { return has_rope_block(p) && normed(p); }},
      {"alpha-on-value", "alpha_k multiplies the value weights", "a norm", normed},
      {"unified-for-blockwise", "content statistic over the concatenated block", "blockwise with a RoPE block", blockwise},
      {"blockwise-for-unified", "statistic over the content block alone", "unified with a RoPE block",
       [](const Problem& p) { return problem::norm_traits(p).spans_rope && has_rope_block(p); }},
      {"l2-for-rms", "sum of squares for their mean", "an RMS norm over more than one element",
       [](const Problem& p) { return normed(p) && p.norm.kind == NormKind::rms && statistic_width(p) > 1; }},
      {"eps-missing", "eps left out", "eps != 0", [](const Problem& p) { return eps_differs(p, "0"); }},
      {"eps-outside-sqrt", "sqrt(mean) + eps", "eps != 0", [](const Problem& p) { return eps_differs(p, "0"); }},
      {"eps-1e-5", "eps 1e-5", "eps != 1e-5", [](const Problem& p) { return eps_differs(p, "1e-5"); }},
      {"eps-1e-2", "eps 1e-2", "eps != 1e-2", [](const Problem& p) { return eps_differs(p, "1e-2"); }},
      {"lse-base-2", "lse written in base 2", "keys or a sink", has_lse, nullptr, kReal | kViolates},
      {"lse-plus-0.03", "lse too large by 0.03", "keys or a sink", has_lse},
      {"finite-minus-infinity", "-5e4 for minus infinity under the mask", "a row whose keys are all masked", has_masked_row},
      {"empty-split", "0 * NaN from a split without a token", "tokens", [](const Problem& p) { return longest(p) > 0; }, use_empty_split,
       kStructural},
      {"masked-row-nan", "0 / 0 on a row that sees nothing", "a row that sees nothing, no sink", has_empty_row, nullptr, kStructural},
      {"masked-nan-leaks", "0 * NaN from a masked value", "tokens before every window (NaN is put there)", has_unseen_token, nullptr,
       kStructural},
      {"alpha-bf16", "alpha_k rounded to bf16", "a norm, alpha declared wider",
       [](const Problem& p) { return normed(p) && wider_than_bf16(p, Stored::alpha); }, store_bf16<Stored::alpha>, kPrecision},
      {"q-tilde-bf16", "absorbed query rounded to bf16", "mla, q_tilde declared wider",
       [](const Problem& p) { return p.is_mla() && wider_than_bf16(p, Stored::q_tilde); }, store_bf16<Stored::q_tilde>, kPrecision},
      {"p-fp16", "softmax weights rounded to fp16", "two keys, p declared wider",
       [](const Problem& p) {
         const Index bits = std::min(p.precision.of(Stored::p).precision, p.precision.statistics.precision);
         return sees_more_than(p, 1) && bits > scalar::kFp16.precision;
       },
       store_p_fp16, kPrecision},
      {"u-bf16", "latent average u rounded to bf16", "mla, u declared wider",
       [](const Problem& p) { return p.is_mla() && wider_than_bf16(p, Stored::u); }, store_bf16<Stored::u>, kPrecision},
      {"logits-bf16", "logits rounded to bf16", "two keys, logits declared wider",
       [](const Problem& p) { return sees_more_than(p, 1) && wider_than_bf16(p, Stored::logits); }, store_bf16<Stored::logits>, kPrecision},
      {"sum-of-squares-bf16", "statistics summed in bf16", "a norm, statistics declared wider",
       [](const Problem& p) { return normed(p) && p.precision.statistics.precision > scalar::kBf16.precision; }, nullptr,
       kPrecision | kViolates},
      {"pv-accumulate-bf16", "p times value summed in bf16", "two keys, accumulator declared wider", sums_values_wide, nullptr,
       kPrecision | kViolates},
      {"accumulator-rounded-every-16", "sum of p times value rounded to bf16 every 16 keys", "two keys, accumulator declared wider",
       sums_values_wide, nullptr, kPrecision | kViolates},
      {"exp2-truncated-log2e", "exp(x) as 2^(x c), c = log2(e) cut to 8 bits", "two keys",
       [](const Problem& p) { return sees_more_than(p, 1); }, nullptr, kPrecision | kViolates, "exp2-truncated-log2e.p-of-lse"},
      {"fp16-sum-of-squares-overflow", "statistics summed in fp16: 1/sqrt(inf) = 0", "a norm, wide-tokens inputs",
       [](const Problem& p) { return normed(p) && p.inputs.kind == "wide-tokens"; }, nullptr, kViolates},
  };
}

}  // namespace

Index unseen_tokens(const Problem& problem, Index batch_row) {
  if (problem.mask.kind != MaskKind::window) return 0;
  // The first query sees the tokens after its position minus the window; later queries see later ones.
  const Index first = problem.context_of(batch_row) - problem.queries, seen_from = std::max<Index>(0, first) - problem.mask.window + 1;
  return std::clamp<Index>(seen_from, 0, problem.context_of(batch_row));
}

std::string expected_text(const Mutant& mutant) {
  std::string text;
  for (const auto& [outcome, letter] : {std::pair{kExact, "E"}, {kReal, "R"}, {kViolates, "V"}, {kStructural, "S"}, {kPrecision, "P"}}) {
    if (mutant.expects(outcome)) text += (text.empty() ? "" : " ") + std::string(letter);
  }
  return text;
}

Index fault_tile(const Problem& problem) { return problem.max_context() >= 128 ? 64 : 4; }

const std::vector<Mutant>& mutants() {
  static const std::vector<Mutant> table = build();
  return table;
}

const Mutant& find_mutant(std::string_view id) {
  const auto found = std::find_if(mutants().begin(), mutants().end(), [&](const Mutant& m) { return m.id == id; });
  if (found != mutants().end()) return *found;
  std::vector<std::string> ids;
  for (const Mutant& mutant : mutants()) ids.emplace_back(mutant.id);
  throw Error("mutant '" + std::string(id) + "' is not in the catalogue; allowed: what 'equinorm list mutants' shows" +
              problem::did_you_mean(id, ids));
}

}  // namespace equinorm::paths
