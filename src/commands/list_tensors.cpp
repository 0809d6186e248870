// `equinorm list tensors CASE`: what a kernel of this problem reads and writes.
#include <fmt/format.h>

#include <map>

#include "commands/options.hpp"
#include "problem/scale.hpp"
#include "problem/tensors.hpp"
#include "tensor/tensor.hpp"

namespace equinorm::commands {
namespace {

/// One line on a tensor, in the field's terms.
std::string meaning(const std::string& name, const problem::Problem& p) {
  static const std::map<std::string, std::string> common{
      {"c", "cached latent of each token"},
      {"k_rope", "RoPE key before norm and rotation, shared by heads"},
      {"q_content", "query, content block, before norm"},
      {"q_rope", "query, RoPE block, before norm and rotation"},
      {"w_k", "key up-projection, k0 = c w_k"},
      {"w_v", "value up-projection, v = c w_v"},
      {"q", "query before norm and rotation"},
      {"k", "key before norm and rotation"},
      {"v", "value"},
      {"rope_cos", "cos(position theta^(-2i/n)), row = position"},
      {"rope_sin", "sin(position theta^(-2i/n)), row = position"},
      {"positions_q", "optional; default T_b - S + i"},
      {"positions_k", "optional; default t"},
      {"sink", "one more logit per head, in the denominator only, neither scaled nor capped"},
      {"gate", "o_gated = o sigmoid(gate)"},
      {"w_o", "y = concat_h(o) w_o"},
      {"x", "hidden states; the last S tokens of a row are its queries"},
      {"logits", "scale (q_hat . k_hat), then soft-cap; -inf where masked or past T_b"},
      {"lse", "natural log of sum exp(logits), sink included; -inf if that sum is empty"},
      {"p", "exp(logits - lse)"},
      {"u", "sum_t p_t c_t"},
      {"o", "sum_t p_t v_t, before the gate; 0 where nothing is seen"},
      {"o_gated", "o sigmoid(gate)"},
      {"y", "projected output"},
      {"alpha_k", "1/S of each key, eps inside the square root"},
      {"alpha_q", "1/S of each query"},
      {"q_tilde", "(q gamma_q gamma_k) w_k^T, without alpha_q and scale"},
      {"q_hat", "query normalised, weighted, rotated; content first"},
      {"k_hat", "key normalised, weighted, rotated; content first"},
      {"k_deferred", "key weighted and rotated, not normalised"},
      {"q_rope_hat", "RoPE query normalised, weighted, rotated"},
      {"k_rope_cached", "RoPE key as cached: normalised (unified: only weighted), rotated"}};
  if (!p.is_mla() && (name == "w_k" || name == "w_v")) return name == "w_k" ? "k = x w_k" : "v = x w_v";
  if (name.starts_with("gamma")) return "norm weight";
  if (const auto found = common.find(name); found != common.end()) return found->second;
  return name.starts_with("w_") ? "projection, out = in " + name : "";
}

}  // namespace

int list_tensors(const std::string& case_text, const Options& options) {
  const problem::Problem p = problem_of(case_text, options);
  const auto show = [&](const char* direction, const std::vector<problem::TensorSpec>& specs) {
    for (const problem::TensorSpec& spec : specs)
      fmt::print("{:<4}{:<16} {:<22} {}\n", direction, spec.name, tensor::to_string(spec.shape), meaning(spec.name, p));
  };
  show("in", problem::input_tensors(p, problem::default_table_rows(p)));
  show("out", problem::output_tensors(p));
  const problem::ScaleSpec scale = problem::softmax_scale(p);
  fmt::print("\nscale {}{}; RoPE pairs {}; mask {}{}; a file may hold any subset of the outputs, in F16, BF16, F32 or F64\n",
             scale.value ? scale.value->text() : fmt::format("{}^-1/2", scale.inverse_sqrt_of), scale.yarn ? " times YaRN's mscale^2" : "",
             problem::to_string(p.rope.layout), problem::to_string(p.mask.kind),
             p.mask.kind == problem::MaskKind::none ? "" : " (query i of S sees keys t <= T_b - S + i)");
  return 0;
}

}  // namespace equinorm::commands
