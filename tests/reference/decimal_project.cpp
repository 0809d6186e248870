#include <string>

#include "reference/decimal_stages.hpp"

namespace equinorm::reference {
namespace {

/// sum_m row[m] W[m, column].
Number times_column(const TensorMap& inputs, const std::vector<Number>& row, const std::string& matrix, Index column) {
  Number sum = 0;
  for (std::size_t m = 0; m < row.size(); ++m) sum += row[m] * input(inputs, matrix, {static_cast<Index>(m), column});
  return sum;
}

std::vector<Number> hidden_state(const Problem& problem, const TensorMap& inputs, Index b, Index t) {
  std::vector<Number> x;
  for (Index m = 0; m < problem.model_dim; ++m) x.push_back(input(inputs, "x", {b, t, m}));
  return x;
}

/// z gamma / sqrt(mean z^2 + eps), if the problem asks for latent norms.
void normalise_latent(const Problem& problem, const TensorMap& inputs, const std::string& gamma, std::vector<Number>& z) {
  if (!problem.norm.latent_norm) return;
  Number squares = 0;
  for (const Number& value : z) squares += value * value;
  const Number rms = sqrt(squares / Number(z.size()) + to_number(problem.norm.eps));
  for (std::size_t m = 0; m < z.size(); ++m) z[m] = z[m] / rms * input(inputs, gamma, {static_cast<Index>(m)});
}

std::vector<Number> latent(const Problem& problem, const TensorMap& inputs, Index b, Index t) {
  std::vector<Number> c;
  for (Index m = 0; m < problem.latent; ++m) {
    if (problem.start == problem::Start::latent)
      c.push_back(input(inputs, "c", {b, t, m}));
    else
      c.push_back(times_column(inputs, hidden_state(problem, inputs, b, t), "w_dkv", m));
  }
  if (problem.start == problem::Start::x) normalise_latent(problem, inputs, "gamma_kv_latent", c);
  return c;
}

Number rope_key(const Problem& problem, const TensorMap& inputs, Index b, Index t, Index j) {
  if (problem.start == problem::Start::latent) return input(inputs, "k_rope", {b, t, j});
  return times_column(inputs, hidden_state(problem, inputs, b, t), "w_kr", j);
}

void project_mla_keys(const Problem& problem, const TensorMap& inputs, Index b, Index t, Operands& operands) {
  const std::vector<Number> c = latent(problem, inputs, b, t);
  for (Index m = 0; m < problem.latent; ++m) operands.c.row(b, t)[m] = c[static_cast<std::size_t>(m)];
  for (Index g = 0; g < problem.groups; ++g) {
    for (Index j = 0; j < problem.content_dim; ++j) {
      Number sum = 0;
      for (Index m = 0; m < problem.latent; ++m) sum += c[static_cast<std::size_t>(m)] * input(inputs, "w_k", {g, m, j});
      operands.k.row(b, t, g)[j] = sum;
    }
    for (Index j = 0; j < problem.rope_dim; ++j) operands.k.row(b, t, g)[problem.content_dim + j] = rope_key(problem, inputs, b, t, j);
    for (Index j = 0; j < problem.value_dim; ++j) {
      Number sum = 0;
      for (Index m = 0; m < problem.latent; ++m) sum += c[static_cast<std::size_t>(m)] * input(inputs, "w_v", {g, m, j});
      operands.v.row(b, t, g)[j] = sum;
    }
  }
}

void project_gqa_keys(const Problem& problem, const TensorMap& inputs, Index b, Index t, Operands& operands) {
  const bool given = problem.start == problem::Start::latent;
  const std::vector<Number> x = given ? std::vector<Number>{} : hidden_state(problem, inputs, b, t);
  for (Index g = 0; g < problem.groups; ++g) {
    for (Index j = 0; j < problem.head_dim; ++j)
      operands.k.row(b, t, g)[j] = given ? input(inputs, "k", {b, t, g, j}) : times_column(inputs, x, "w_k", g * problem.head_dim + j);
    for (Index j = 0; j < problem.value_dim; ++j)
      operands.v.row(b, t, g)[j] = given ? input(inputs, "v", {b, t, g, j}) : times_column(inputs, x, "w_v", g * problem.value_dim + j);
  }
}

/// q of query i from x at token T_b - S + i.
void project_query_from_x(const Problem& problem, const TensorMap& inputs, Index b, Index i, Operands& operands) {
  std::vector<Number> row = hidden_state(problem, inputs, b, problem.context_of(b) - problem.queries + i);
  if (problem.is_mla() && problem.query_latent > 0) {
    std::vector<Number> query_latent;
    for (Index m = 0; m < problem.query_latent; ++m) query_latent.push_back(times_column(inputs, row, "w_dq", m));
    normalise_latent(problem, inputs, "gamma_q_latent", query_latent);
    row = query_latent;
  }
  const std::string matrix = problem.is_mla() ? "w_uq" : "w_q";
  for (Index h = 0; h < problem.heads; ++h)
    for (Index j = 0; j < problem.key_dim(); ++j) operands.q.row(b, i, h)[j] = times_column(inputs, row, matrix, h * problem.key_dim() + j);
}

void read_query(const Problem& problem, const TensorMap& inputs, Index b, Index i, Operands& operands) {
  for (Index h = 0; h < problem.heads; ++h)
    for (Index j = 0; j < problem.key_dim(); ++j) {
      Number& q = operands.q.row(b, i, h)[j];
      if (!problem.is_mla())
        q = input(inputs, "q", {b, i, h, j});
      else if (j < problem.content_dim)
        q = input(inputs, "q_content", {b, i, h, j});
      else
        q = input(inputs, "q_rope", {b, i, h, j - problem.content_dim});
    }
}

}  // namespace

Number input(const TensorMap& inputs, const std::string& name, std::initializer_list<Index> index) {
  const auto found = inputs.find(name);
  if (found == inputs.end()) throw Error("decimal reference: input '" + name + "' is missing");
  const tensor::Shape& shape = found->second.shape();
  bool inside = index.size() == shape.size();
  Index flat = 0;
  std::size_t axis = 0;
  for (const Index position : index) {
    inside = inside && position >= 0 && position < shape[axis];
    if (!inside)
      throw Error("decimal reference: input '" + name + "' has shape " + tensor::to_string(shape) + ", which lacks a wanted element");
    flat = flat * shape[axis++] + position;
  }
  if (!tensor::is_floating(found->second.dtype())) {
    std::int64_t integer = 0;
    found->second.read_integers(flat, 1, &integer);
    return Number(integer);
  }
  return Number(found->second.at(flat));
}

Tensor<Number> undefined_tensor(const tensor::Shape& shape) {
  Tensor<Number> filled(shape);
  for (Index flat = 0; flat < filled.size(); ++flat) filled[flat] = undefined();
  return filled;
}

bool query_exists(const Problem& problem, Index b, Index i) {
  return problem.start == problem::Start::latent || problem.context_of(b) - problem.queries + i >= 0;
}

Operands project(const Problem& problem, const TensorMap& inputs) {
  const Index batch = problem.batch, tokens = problem.max_context();
  Operands operands;
  operands.q = undefined_tensor({batch, problem.queries, problem.heads, problem.key_dim()});
  operands.k = undefined_tensor({batch, tokens, problem.groups, problem.key_dim()});
  operands.v = undefined_tensor({batch, tokens, problem.groups, problem.value_dim});
  if (problem.is_mla()) operands.c = undefined_tensor({batch, tokens, problem.latent});
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < problem.context_of(b); ++t) {
      if (problem.is_mla())
        project_mla_keys(problem, inputs, b, t, operands);
      else
        project_gqa_keys(problem, inputs, b, t, operands);
    }
    for (Index i = 0; i < problem.queries; ++i) {
      if (problem.start == problem::Start::latent)
        read_query(problem, inputs, b, i, operands);
      else if (query_exists(problem, b, i))
        project_query_from_x(problem, inputs, b, i, operands);
    }
  }
  return operands;
}

}  // namespace equinorm::reference
