// From a mutant's id to its formula, for one arithmetic.
#pragma once

#include <functional>
#include <map>

#include "paths/mutants_norm-inl.hpp"
#include "paths/mutants_output-inl.hpp"
#include "paths/mutants_rounding-inl.hpp"
#include "paths/mutants_score-inl.hpp"

namespace equinorm::paths {

template <Arithmetic A>
std::unique_ptr<Formula<A>> make_formula(std::string_view mutant_id) {
  using namespace faulty;
  using Result = std::unique_ptr<Formula<A>>;
  using Keys = typename WrongKeys<A>::Fault;
  using Change = typename OtherWeights<A>::Change;
  using Token = typename RmsOfOtherToken<A>::Token;
  using Nothing = typename ReadsNothing<A>::Nothing;
  const auto right = [] { return std::make_unique<Formula<A>>(); };  // also of faults that the mutant's plan carries
  static const std::map<std::string_view, std::function<Result()>> table{
      {"", right},
      {"last-key-dropped", [] { return std::make_unique<WrongKeys<A>>(Keys::last_key); }},
      {"last-tile-dropped", [] { return std::make_unique<WrongKeys<A>>(Keys::last_tile); }},
      {"page-skipped", [] { return std::make_unique<WrongKeys<A>>(Keys::page); }},
      {"tile-rescale-missing", [] { return std::make_unique<TileRescaleMissing<A>>(); }},
      {"split-average-unweighted", [] { return std::make_unique<SplitAverageUnweighted<A>>(); }},
      {"rope-ignored", [] { return std::make_unique<RopeIgnored<A>>(); }},
      {"rope-layout-swapped", [] { return std::make_unique<RopeLayoutSwapped<A>>(); }},
      {"rope-before-norm", [] { return std::make_unique<RopeBeforeNorm<A>>(); }},
      {"position-off-by-one", [] { return std::make_unique<PositionOffByOne<A>>(); }},
      {"scale-128", [] { return std::make_unique<ScaleOf<A>>(false); }},
      {"scale-576", [] { return std::make_unique<ScaleOf<A>>(true); }},
      {"scale-twice", [] { return std::make_unique<ScaleTwice<A>>(); }},
      {"mscale-missing", [] { return std::make_unique<MscaleMissing<A>>(); }},
      {"causal-off-by-one", [] { return std::make_unique<WrongKeys<A>>(Keys::causal_edge); }},
      {"window-off-by-one", [] { return std::make_unique<WrongKeys<A>>(Keys::window_edge); }},
      {"softcap-after-mask", [] { return std::make_unique<SoftcapAfterMask<A>>(); }},
      {"sink-ignored", [] { return std::make_unique<SinkIgnored<A>>(); }},
      {"sink-scaled", [] { return std::make_unique<SinkScaled<A>>(); }},
      {"heads-swapped", [] { return std::make_unique<HeadsSwapped<A>>(); }},
      {"rows-swapped", [] { return std::make_unique<RowsSwapped<A>>(); }},
      {"wrong-group", [] { return std::make_unique<WrongGroup<A>>(); }},
      {"qlen-rows-equal", [] { return std::make_unique<QueryRowsEqual<A>>(); }},
      {"one-element", [] { return std::make_unique<OneElement<A>>(); }},
      {"output-times-1.003", [] { return std::make_unique<OutputTimes<A>>("1.003"); }},
      {"output-zero", [] { return std::make_unique<OutputTimes<A>>("0"); }},
      {"q-norm-skipped", [] { return std::make_unique<NormSkipped<A>>(Side::query); }},
      {"k-norm-skipped", [] { return std::make_unique<NormSkipped<A>>(Side::key); }},
      {"gamma-k-dropped", [] { return std::make_unique<OtherWeights<A>>(Change::drop, false, true); }},
      {"gamma-k-twice", [] { return std::make_unique<OtherWeights<A>>(Change::twice, false, true); }},
      {"gamma-q-dropped", [] { return std::make_unique<OtherWeights<A>>(Change::drop, true, false); }},
      {"gamma-one-plus", [] { return std::make_unique<OtherWeights<A>>(Change::plus_one, true, true); }},
      {"gamma-one-minus", [] { return std::make_unique<OtherWeights<A>>(Change::minus_one, true, true); }},
      {"rms-after-gamma", [] { return std::make_unique<RmsAfterGamma<A>>(); }},
      {"rms-from-latent", [] { return std::make_unique<RmsFromLatent<A>>(false); }},
      {"rms-wrong-head", [] { return std::make_unique<RmsWrongHead<A>>(); }},
      {"rms-shifted-token", [] { return std::make_unique<RmsOfOtherToken<A>>(Token::next); }},
      {"rms-shifted-token.last-own", [] { return std::make_unique<RmsOfOtherToken<A>>(Token::next_but_last); }},
      {"rms-constant", [] { return std::make_unique<RmsOfOtherToken<A>>(Token::first); }},
      {"rms-over-192", [] { return std::make_unique<RmsOver192<A>>(); }},
      {"alpha-on-rope", [] { return std::make_unique<AlphaOnRope<A>>(); }},
      {"alpha-k-dropped", [] { return std::make_unique<AlphaKeyTimes<A>>(0); }},
      {"alpha-k-twice", [] { return std::make_unique<AlphaKeyTimes<A>>(2); }},
      {"rms-over-576", [] { return std::make_unique<RmsFromLatent<A>>(true); }},
      {"alpha-on-value", [] { return std::make_unique<AlphaOnValue<A>>(); }},
      {"unified-for-blockwise", [] { return std::make_unique<OtherScheme<A>>(NormScheme::unified); }},
      {"blockwise-for-unified", [] { return std::make_unique<OtherScheme<A>>(NormScheme::blockwise); }},
      {"l2-for-rms", [] { return std::make_unique<L2ForRms<A>>(); }},
      {"eps-missing", [] { return std::make_unique<OtherEps<A>>("0"); }},
      {"eps-outside-sqrt", [] { return std::make_unique<EpsOutsideSqrt<A>>(); }},
      {"eps-1e-5", [] { return std::make_unique<OtherEps<A>>("1e-5"); }},
      {"eps-1e-2", [] { return std::make_unique<OtherEps<A>>("1e-2"); }},
      {"lse-base-2", [] { return std::make_unique<LseBaseTwo<A>>(); }},
      {"lse-plus-0.03", [] { return std::make_unique<LsePlus<A>>("0.03"); }},
      {"finite-minus-infinity", [] { return std::make_unique<FiniteMinusInfinity<A>>(); }},
      {"empty-split", [] { return std::make_unique<ReadsNothing<A>>(Nothing::split); }},
      {"masked-row-nan", [] { return std::make_unique<ReadsNothing<A>>(Nothing::row); }},
      {"masked-nan-leaks", [] { return std::make_unique<ReadsNothing<A>>(Nothing::value); }},
      {"alpha-bf16", right},
      {"q-tilde-bf16", right},
      {"p-fp16", right},
      {"u-bf16", right},
      {"logits-bf16", right},
      {"sum-of-squares-bf16", [] { return std::make_unique<SquareSumIn<A>>(scalar::kBf16); }},
      {"pv-accumulate-bf16", [] { return std::make_unique<ValuesInBf16<A>>(1); }},
      {"accumulator-rounded-every-16", [] { return std::make_unique<ValuesInBf16<A>>(16); }},
      {"exp2-truncated-log2e", [] { return std::make_unique<CoarseExp2<A>>(false); }},
      {"exp2-truncated-log2e.p-of-lse", [] { return std::make_unique<CoarseExp2<A>>(true); }},
      {"fp16-sum-of-squares-overflow", [] { return std::make_unique<SquareSumIn<A>>(scalar::kFp16); }},
  };
  const auto found = table.find(mutant_id);
  if (found == table.end()) throw Error("mutant '" + std::string(mutant_id) + "' has no formula");
  return found->second();
}

/// Everything that another room may call, for one arithmetic.
#define EQUINORM_INSTANTIATE_PATHS(A)                                                                                              \
  template class Formula<A>;                                                                                                       \
  template PathOutput<A::Value> run_path<A>(const A&, PathKind, const problem::Problem&, const Plan&, const PathInputs<A::Value>&, \
                                            const Formula<A>&, const Wanted&);                                                     \
  template PathOutput<A::Value> run_staged_path<A>(const StageArithmetics<A>&, PathKind, const problem::Problem&, const Plan&,     \
                                                   const PathInputs<A::Value>&, const Wanted&);                                    \
  template std::unique_ptr<Formula<A>> make_formula<A>(std::string_view);

}  // namespace equinorm::paths
