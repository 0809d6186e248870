// The explicit formula of QK-normed attention in 60-digit decimal arithmetic: an opinion that shares no code with src/paths or src/oracle.
#pragma once

// g++ 12 sees an overlap that is not there in the text constants of cpp_dec_float (GCC bug 105651) once they are inlined.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wrestrict"
#include <boost/multiprecision/cpp_dec_float.hpp>
#pragma GCC diagnostic pop
#include <map>
#include <string>

#include "problem/problem.hpp"
#include "scalar/decimal.hpp"
#include "tensor/any_tensor.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::reference {

using Number = boost::multiprecision::number<boost::multiprecision::cpp_dec_float<60>, boost::multiprecision::et_off>;
using tensor::Index;
using tensor::Tensor;
using Outputs = std::map<std::string, Tensor<Number>>;

/// The value of decimal text such as "1e-6".
Number to_number(const scalar::Decimal& decimal);

/// -infinity: a masked logit, or the lse of an empty sum.
Number minus_infinity();
bool is_minus_infinity(const Number& value);

/// Marks an element that the problem does not define: padding tokens (t >= T_b), what belongs to a query that has no token (start x, S >
/// T_b), and the rotated dims of a query whose default position is negative (it has no row in the RoPE tables and sees nothing). Never
/// compare those.
Number undefined();
bool is_undefined(const Number& value);

/// Every output of the problem that product names, by the explicit formulas (3), (5), (9) with names and shapes of problem::output_tensors:
///   logits [B,H,S,T] (-inf where masked or past T_b), lse [B,H,S], p [B,H,S,T], o [B,S,H,d_v], o_gated (output gate), y [B,S,model_dim],
///   alpha_q [B,S,H], alpha_k [B,T,G] or [B,T,1] (full width), q_hat [B,S,H,d], k_hat [B,T,G,d];
///   mla: u [B,S,H,r], q_tilde [B,S,H,r], q_rope_hat [B,S,H,d_r], k_rope_cached [B,T,d_r]; gqa: k_deferred [B,T,G,d].
/// Where the text leaves a choice:
///   - alpha is the inverse statistic of the content block (blockwise, full width) or of the one block (unified, gqa); scheme `none` has
///   none.
///     Under full width alpha_q holds the same value for every head.
///   - full width mla: the key's RoPE block has a statistic of its own over d_r values, so k_rope_cached is normalised, as for blockwise;
///     it is only weighted for unified, and neither for scheme `none`. q_rope_hat is normalised under every scheme but `none`.
///   - the latent norms are plain RMS norms whatever norm.kind and norm.weight say; they take norm.eps.
///   - masks count indices (t <= T_b - S + i); explicit positions move the RoPE angles only.
/// Error: about 1e-55 relative to the largest term of each sum. Weights below exp(-1e7) are 0.
/// Throws Error when an input is missing, has another shape, or when a query that sees keys has no position.
Outputs compute(const problem::Problem& problem, const tensor::TensorMap& inputs);

}  // namespace equinorm::reference
