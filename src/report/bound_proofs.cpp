#include "report/bound_proofs.hpp"

#include <array>

namespace equinorm::report {
namespace {

constexpr std::array kBoundProofs{
    BoundProof{"every rounding", "bounds/rounding.hpp Rounding::half_ulp", "half_ulp_of_upper, flushed_of_upper", ""},
    BoundProof{"stored tensors, handed-over tensors", "bounds/rounding.hpp Rounding::held_near",
               "half_ulp_of_upper, held_between, held_middle, held_widest, neighbour_arguments, argument_above", ""},
    BoundProof{"stored tensors", "bounds/setting.hpp Setting::held_near", "held_between, held_widest", ""},
    BoundProof{"what binary64 loses", "bounds/setting.hpp own_error", "own_covers, latent_own_covers", ""},
    BoundProof{"what binary64 loses", "bounds/setting.hpp own_setting", "centre_exact, told_from_centre, sum_own", ""},
    BoundProof{"stored tensors, handed-over tensors", "bounds/rounding.hpp Rounding::error_near",
               "half_ulp_of_upper, rounded_between, neighbour_arguments, argument_above", ""},
    BoundProof{"stored tensors", "bounds/setting.hpp Setting::store_near", "half_ulp_of_upper, rounded_between", ""},
    BoundProof{"every rounding", "bounds/rounding.hpp Rounding::relative", "half_ulp_relative, centre_rounded", ""},
    BoundProof{"every rounding", "bounds/rounding.hpp Rounding::unit", "centre_rounded", ""},
    BoundProof{"underflow", "bounds/rounding.hpp Rounding::product_underflow", "round_model, round_sum_error, flushed_operation", ""},
    BoundProof{"sums", "bounds/rounding.hpp phi", "phi_as_exp, phi_evaluation", ""},
    BoundProof{"stored tensors", "bounds/setting.hpp Setting::store", "half_ulp_of_upper", ""},
    BoundProof{"sums and dot products", "bounds/accumulation.hpp accumulation",
               "dot_error_height, dot_error_count, dot_fma, dot_flushed_error, truncating_chain, centre_dot", ""},
    BoundProof{"sums and dot products", "bounds/accumulation.hpp term_factors",
               "dot_error_by_term, fma_by_term, sequential_by_term, centre_by_term", ""},
    BoundProof{"sums and dot products", "bounds/linear.hpp sum_errors", "dot_error_by_term, dot_finite_guard", ""},
    BoundProof{"kind D: sums followed step by step", "bounds/followed.hpp followed_errors", "dot_running_error, half_ulp_of_upper", ""},
    BoundProof{"kind D: sums followed step by step", "bounds/linear.hpp follow", "dot_running_error", ""},
    BoundProof{"kind D: all stages together", "bounds/bounds.hpp instrumented_bounds", "dot_running_error, half_ulp_of_upper", ""},
    BoundProof{"sums and dot products", "bounds/accumulation.hpp rounding_height", "dot_sequential, dot_pairwise, dot_blocked", ""},
    BoundProof{"matrix units", "bounds/accumulation.hpp matrix_unit_underflow", "unit_exponent, unit_truncated, unit_rounded, unit_halves",
               ""},
    BoundProof{"k0, v, q_tilde, y; x W", "bounds/linear.hpp multiply_bounded", "radius_dot_exact, dot_finite_guard, absolute_sum_guard",
               ""},
    BoundProof{"latents from x", "bounds/linear.hpp spread_factor", "factor_elementwise", ""},
    BoundProof{"latents, queries from x", "bounds/sources.hpp make_sources",
               "radius_dot_exact, statistic_ratio_exact, normalised_component_error", ""},
    BoundProof{"k_hat, q_hat", "bounds/vectors.hpp Vectors", "factor_elementwise", ""},
    BoundProof{"k_hat, q_hat", "bounds/vectors.hpp Vectors::magnitude", "near_magnitude", ""},
    BoundProof{"k_hat, q_hat", "bounds/vectors.hpp weights", "half_ulp_of_upper", ""},
    BoundProof{"k_hat, k_deferred, k_rope_cached, q_hat", "bounds/vectors.hpp finish_row",
               "normalised_component_error, radius_product_exact, radius_rope, rounded_radius, centre_rotation, radius_less_part", ""},
    BoundProof{"alpha_k, alpha_q", "bounds/statistic.hpp statistic",
               "statistic_distance, rms_lipschitz, computed_mean_square, statistic_ratio_exact, squares_guard, centre_statistic, "
               "low_evaluated, statistic_slack",
               ""},
    BoundProof{"alpha_k", "bounds/statistic.hpp stored_rho", "stored_ratio", ""},
    BoundProof{"k_rope_cached, alpha_k", "bounds/keys.hpp make_row_keys", "statistic_ratio_exact, normalised_component_error, radius_rope",
               ""},
    BoundProof{"k_hat, k_deferred, alpha_k", "bounds/keys.hpp make_group_keys",
               "projected_component_error, statistic_ratio_exact, stored_ratio, normalised_component_error", ""},
    BoundProof{"q_hat, q_tilde, alpha_q", "bounds/queries.hpp make_queries",
               "statistic_ratio_exact, normalised_component_error, absorbed_exact_error, latent_stage, argument_above", ""},
    BoundProof{"kernels that are handed tensors", "bounds/given.hpp HandedOver", "given_radius, given_ratio, half_ulp_of_upper", ""},
    BoundProof{"kernels that are handed tensors", "bounds/given.hpp HandedOver::replace", "given_radius, given_ratio", ""},
    BoundProof{"kernels that are handed tensors", "bounds/given.hpp HandedOver::radius", "given_radius", ""},
    BoundProof{"k_hat, q_hat", "bounds/vectors.hpp Vectors::error", "factor_elementwise", ""},
    BoundProof{"logits", "bounds/contraction.hpp moves_by_stores", "radius_dot_exact", ""},
    BoundProof{"logits", "bounds/scores.hpp latent_moves", "absorbed_exact_error", ""},
    BoundProof{"logits", "bounds/contraction.hpp contract", "radius_dot_exact, dot_error_by_term, absolute_sum_guard", ""},
    BoundProof{"kind D: logits", "bounds/contraction.hpp follow_products", "dot_running_error, radius_dot_exact", ""},
    BoundProof{"logits", "bounds/scores.hpp make_scores",
               "dot_stage, latent_stage, outside_stage, joined_stage, logit_stage, score_stages, explicit_exact_error, "
               "absorbed_exact_error, factor_product, soft_cap_error, constant_product, dot_finite_guard, absolute_sum_guard, "
               "norm_guard, joined_guard, own_of_radius, centre_latent",
               ""},
    BoundProof{"p, lse", "bounds/softmax_weights.hpp make_weights",
               "online_weight, exp2_weight, exp2_product_weight, exp2_allowance, lse_split_weight, split_allowance, "
               "split_allowance_base_two, rescales_telescope, weighted_average_error, own_logits, shift_evaluation, "
               "weighted_average_upper, least_sum_low, "
               "lse_error, computed_lse_error, computed_lse_error_known, kernel_probability_upper, kernel_probability_lower, weights_own, "
               "others_evaluated, argument_above, normal_weight",
               ""},
    BoundProof{"o, u", "bounds/softmax_sums.hpp average_sums", "accumulated_average_error, kernel_average_error, least_weight", ""},
    BoundProof{"o, u", "bounds/softmax_sums.hpp largest_shift",
               "online_weight, exp2_weight, lse_split_weight, rescales_telescope, exp2_allowance, split_allowance, "
               "split_allowance_base_two",
               ""},
    BoundProof{"kinds A, B: logits", "bounds/apriori.hpp apriori_logit",
               "apriori_explicit, apriori_absorbed_true, apriori_rope, apriori_blockwise, apriori_unified, soft_cap_error", ""},
    BoundProof{"kinds A, B: logits", "bounds/apriori_sizes.hpp logit_sizes", "", "what underflow adds"},
    BoundProof{"kinds A, B: sums", "bounds/apriori_sizes.hpp sum_lost", "dot_flushed_error, unit_truncated", ""},
    BoundProof{"kinds A, B: alpha_k", "bounds/apriori.hpp apriori_rho", "apriori_statistic", ""},
    BoundProof{"kinds A, B: o, u", "bounds/apriori.hpp apriori_average",
               "apriori_average, average_range, average_share, apriori_average_underflow, least_sum_low", ""},
    BoundProof{"kinds A, B: logits, u, o, y", "bounds/apriori.hpp apriori_bounds",
               "apriori_explicit, apriori_absorbed_true, apriori_component, apriori_average, apriori_output, lengths_explicit, "
               "lengths_absorbed, gate_error",
               "what underflow adds to a logit, and binary64's own errors"},
    BoundProof{"o, u of a given p", "bounds/softmax_weights.hpp given_weights", "radius_dot_exact, given_average", ""},
    BoundProof{"o, u", "bounds/average.hpp average_bound",
               "accumulator_guard, weighted_average_error, weighted_average_inexact, weighted_average_fallback, "
               "accumulated_average_error, kernel_average_error, average_stages, reference_guard, live_average, empty_row, "
               "own_logits, mean_distance, mean_error, mean_allowance, mean_own, mean_own_covers, weights_own, fallback_stages, "
               "fallback_as_coded",
               ""},
    BoundProof{"o, u", "bounds/average.hpp AverageBound::total", "average_stages, fallback_finished", ""},
    BoundProof{"o, u", "bounds/average.hpp quotient_rounding", "quotient_error", ""},
    BoundProof{"o, o_gated, y: all stages together", "bounds/bounds.hpp error_bounds",
               "explicit_kernel_error, absorbed_kernel_error, absorbed_stages, projected_output_error, kernel_output_error, "
               "gate_error, radius_dot_exact, slack_covers, decidable_below, model_output, model_empty_row, "
               "positive_evaluation, underflow_taken, bound_evaluated, bound_evaluated_sizes, told_from_centre, "
               "sigmoid_own",
               ""},
    BoundProof{"o; v = c W_V", "bounds/values.hpp group_values", "radius_dot_exact, rounded_radius, own_by_lengths, own_values", ""},
    BoundProof{"'suspect': probable bounds", "bounds/bounds.hpp probable_bounds", "", "a model of random rounding errors"},
    BoundProof{"'suspect': probable bounds", "bounds/bounds.hpp ProbableBounds::miss", "", "a model of random rounding errors"},
    BoundProof{"'suspect': logits", "bounds/probable.hpp probable_scores", "", "a model of random rounding errors"},
    BoundProof{"'suspect': o", "bounds/probable.hpp probable_average", "", "a model of random rounding errors"},
    BoundProof{"predicted errors of stored tensors", "bounds/amplification.hpp predicted_logit_rms", "",
               "a model of random roundings, no bound"},
    BoundProof{"predicted errors of stored tensors", "bounds/amplification.hpp predicted_rms", "", "a model of random roundings, no bound"},
};

}  // namespace

std::span<const BoundProof> bound_proofs() { return kBoundProofs; }

}  // namespace equinorm::report
