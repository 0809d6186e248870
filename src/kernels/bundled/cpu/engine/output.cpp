// Stage output: u -> o, the sigmoid gate, the output projection.
#include <cmath>

#include "kernels/bundled/cpu/engine/norm.hpp"
#include "kernels/bundled/cpu/engine/parallel.hpp"
#include "kernels/bundled/cpu/engine/stages.hpp"

namespace equinorm::kernels::cpu {
namespace {

/// o = u W_V of one head: all queries of a row at once.
void expand(const Call& call, const View& w_v, Index b, Index h) {
  const equinorm_problem& p = call.problem;
  const Index r = p.latent, d_v = p.value_dim, rows = p.queries;
  const View u = call.view("u"), o = call.view("o");
  Floats weights = floats(r * d_v), latents = floats(rows * r), result = floats(rows * d_v);
  for (Index k = 0; k < r; ++k) w_v.load(weights.data() + k * d_v, call.group_of(h), k);
  for (Index s = 0; s < rows; ++s) u.load(latents.data() + s * r, b, s, h);
  multiply_add(rows, d_v, r, latents.data(), r, weights.data(), d_v, result.data(), d_v);
  for (Index s = 0; s < rows; ++s) o.store(result.data() + s * d_v, b, s, h);
}

/// o_gated = o / (1 + exp(-gate)), the sigmoid in binary64 and rounded once.
void apply_gate(const Call& call, Index b, Index s) {
  const equinorm_problem& p = call.problem;
  const View o = call.view("o"), gated = call.view("o_gated");
  Floats gate = floats(p.heads * p.value_dim), values = floats(p.value_dim);
  call.view("gate").load(gate.data(), b, s);
  for (Index h = 0; h < p.heads; ++h) {
    o.load(values.data(), b, s, h);
    for (Index j = 0; j < p.value_dim; ++j) {
      const double exponent = std::exp(-double{gate[static_cast<std::size_t>(h * p.value_dim + j)]});
      values[static_cast<std::size_t>(j)] *= static_cast<float>(1.0 / (1.0 + exponent));
    }
    gated.store(values.data(), b, s, h);
  }
}

/// y = concat_h(o) W_O, all queries of a row at once.
void project(const Call& call, const char* source, Index b) {
  const equinorm_problem& p = call.problem;
  const Index width = p.heads * p.value_dim, rows = p.queries, d = p.model_dim;
  const View heads = call.view(source), w_o = call.view("w_o"), y = call.view("y");
  Floats values = floats(rows * width), weights = floats(p.value_dim * d), result = floats(rows * d);
  for (Index h = 0; h < p.heads; ++h) {
    for (Index s = 0; s < rows; ++s) heads.load(values.data() + s * width + h * p.value_dim, b, s, h);
    for (Index j = 0; j < p.value_dim; ++j) w_o.load(weights.data() + j * d, h * p.value_dim + j);
    multiply_add(rows, d, p.value_dim, values.data() + h * p.value_dim, width, weights.data(), d, result.data(), d);
  }
  for (Index s = 0; s < rows; ++s) y.store(result.data() + s * d, b, s);
}

}  // namespace

void output(const Call& call, Form form) {
  const equinorm_problem& p = call.problem;
  if (is_mla(call) && form == Form::absorbed) {
    const View w_v = call.view("w_v");
    parallel_for(p.batch * p.heads, call.threads(), [&](Index piece) { expand(call, w_v, piece / p.heads, piece % p.heads); });
  }
  if (call.has("o_gated")) {
    parallel_for(p.batch * p.queries, call.threads(), [&](Index piece) { apply_gate(call, piece / p.queries, piece % p.queries); });
  }
  if (call.has("y")) {
    const char* source = p.output_gate != 0 ? "o_gated" : "o";
    parallel_for(p.batch, call.threads(), [&](Index b) { project(call, source, b); });
  }
}

}  // namespace equinorm::kernels::cpu
