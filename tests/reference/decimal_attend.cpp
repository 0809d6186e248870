#include "reference/decimal_stages.hpp"

namespace equinorm::reference {
namespace {

/// (d_c + d_r)^-1/2 or d^-1/2, under YaRN times (0.1 mscale ln(factor) + 1)^2; or the given scale.
Number softmax_scale(const Problem& problem) {
  if (problem.scale) return to_number(*problem.scale);
  Number scale = 1 / sqrt(Number(problem.key_dim()));
  if (problem.rope.scaling && problem.rope.scaling->type == problem::RopeScaling::Type::yarn) {
    const Number mscale = to_number(problem.rope.scaling->mscale) / 10 * log(to_number(problem.rope.scaling->factor)) + 1;
    scale *= mscale * mscale;
  }
  return scale;
}

/// cap tanh(l / cap), with tanh z = (1 - e^-2|z|) / (1 + e^-2|z|) sign z, which cannot overflow.
Number softcap(const Problem& problem, const Number& logit) {
  if (problem.softcap.is_zero()) return logit;
  const Number cap = to_number(problem.softcap);
  const Number z = logit / cap, decay = exp_or_zero(-2 * abs(z));
  const Number tanh_z = (1 - decay) / (1 + decay);
  return z < 0 ? -cap * tanh_z : cap * tanh_z;
}

/// 1 / (1 + e^-z).
Number sigmoid(const Number& z) {
  const Number decay = exp_or_zero(-abs(z));
  return z < 0 ? decay / (1 + decay) : 1 / (1 + decay);
}

bool visible(const Problem& problem, Index b, Index i, Index t) {
  if (t >= problem.context_of(b)) return false;
  const Index diagonal = problem.context_of(b) - problem.queries + i;
  switch (problem.mask.kind) {
    case problem::MaskKind::none:
      return true;
    case problem::MaskKind::causal:
      return t <= diagonal;
    case problem::MaskKind::window:
      return t <= diagonal && t > diagonal - problem.mask.window;
  }
  throw Error("decimal reference: unknown mask");
}

Number logit(const Problem& problem, const Outputs& outputs, Index b, Index i, Index h, Index t) {
  const Number* q = outputs.at("q_hat").row(b, i, h);
  const Number* k = outputs.at("k_hat").row(b, t, problem.group_of(h));
  Number dot = 0;
  for (Index j = 0; j < problem.key_dim(); ++j) dot += q[j] * k[j];
  if (is_undefined(dot)) throw Error("decimal reference: a query sees keys but has no position");
  return softcap(problem, softmax_scale(problem) * dot);
}

/// p and lse of one row of logits; p is 0 and lse -inf or the sink where nothing is visible.
void softmax(const Problem& problem, const TensorMap& inputs, Index b, Index h, Index i, Outputs& outputs) {
  const Index tokens = problem.max_context();
  const Number* logits = outputs.at("logits").row(b, h, i);
  Number largest = problem.sink ? input(inputs, "sink", {h}) : minus_infinity();
  for (Index t = 0; t < tokens; ++t)
    if (logits[t] > largest) largest = logits[t];
  Number sum = problem.sink ? exp_or_zero(input(inputs, "sink", {h}) - largest) : Number(0);
  for (Index t = 0; t < tokens; ++t)
    if (!is_minus_infinity(logits[t])) sum += exp_or_zero(logits[t] - largest);
  outputs["lse"].row(b, h)[i] = sum == 0 ? minus_infinity() : largest + log(sum);
  for (Index t = 0; t < tokens; ++t)
    outputs["p"].row(b, h, i)[t] = is_minus_infinity(logits[t]) ? Number(0) : exp_or_zero(logits[t] - largest) / sum;
}

/// u = sum_t p_t c_t (mla), o = sum_t p_t v_t, o_gated = o sigmoid(gate).
void weigh_values(const Problem& problem, const TensorMap& inputs, const Operands& operands, Index b, Index h, Index i, Outputs& outputs) {
  const Number* p = outputs.at("p").row(b, h, i);
  for (Index m = 0; problem.is_mla() && m < problem.latent; ++m) {
    Number sum = 0;
    for (Index t = 0; t < problem.context_of(b); ++t) sum += p[t] * operands.c.row(b, t)[m];
    outputs["u"].row(b, i, h)[m] = sum;
  }
  for (Index j = 0; j < problem.value_dim; ++j) {
    Number sum = 0;
    for (Index t = 0; t < problem.context_of(b); ++t) sum += p[t] * operands.v.row(b, t, problem.group_of(h))[j];
    outputs["o"].row(b, i, h)[j] = sum;
    if (problem.output_gate) outputs["o_gated"].row(b, i, h)[j] = sum * sigmoid(input(inputs, "gate", {b, i, h * problem.value_dim + j}));
  }
}

/// y = concat_h(o or o_gated) W_O.
void project_output(const Problem& problem, const TensorMap& inputs, Index b, Index i, Outputs& outputs) {
  const Number* heads = outputs.at(problem.output_gate ? "o_gated" : "o").row(b, i);
  for (Index n = 0; n < problem.model_dim; ++n) {
    Number sum = 0;
    for (Index m = 0; m < problem.heads * problem.value_dim; ++m) sum += heads[m] * input(inputs, "w_o", {m, n});
    outputs["y"].row(b, i)[n] = sum;
  }
}

}  // namespace

Number exp_or_zero(const Number& z) { return z < -10'000'000 ? Number(0) : exp(z); }

void attend(const Problem& problem, const TensorMap& inputs, const Operands& operands, Outputs& outputs) {
  const Index batch = problem.batch, queries = problem.queries, heads = problem.heads, tokens = problem.max_context();
  outputs["logits"] = Tensor<Number>({batch, heads, queries, tokens});
  outputs["p"] = Tensor<Number>({batch, heads, queries, tokens});
  outputs["lse"] = Tensor<Number>({batch, heads, queries});
  outputs["o"] = Tensor<Number>({batch, queries, heads, problem.value_dim});
  if (problem.is_mla()) outputs["u"] = Tensor<Number>({batch, queries, heads, problem.latent});
  if (problem.output_gate) outputs["o_gated"] = Tensor<Number>({batch, queries, heads, problem.value_dim});
  if (problem.model_dim > 0) outputs["y"] = Tensor<Number>({batch, queries, problem.model_dim});
  for (Index b = 0; b < batch; ++b)
    for (Index i = 0; i < queries; ++i) {
      for (Index h = 0; h < heads; ++h) {
        for (Index t = 0; t < tokens; ++t)
          outputs["logits"].row(b, h, i)[t] = visible(problem, b, i, t) ? logit(problem, outputs, b, i, h, t) : minus_infinity();
        softmax(problem, inputs, b, h, i, outputs);
        weigh_values(problem, inputs, operands, b, h, i, outputs);
      }
      project_output(problem, inputs, b, i, outputs);
    }
}

}  // namespace equinorm::reference
