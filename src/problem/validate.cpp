// Every rule of the problem file that can be decided from the problem alone.
#include <algorithm>

#include "problem/json.hpp"
#include "problem/names.hpp"
#include "problem/problem.hpp"
#include "problem/tensors.hpp"
#include "scalar/error.hpp"

namespace equinorm::problem {
namespace {

[[noreturn]] void reject(const std::string& field, const std::string& value, const std::string& allowed) {
  throw Error(field + " is " + value + "; allowed: " + allowed);
}

void check_range(const std::string& field, Index value, Index smallest, Index largest = kMaxDim) {
  if (value < smallest || value > largest) {
    reject(field, std::to_string(value), "an integer from " + std::to_string(smallest) + " to " + std::to_string(largest));
  }
}

void check_text(const std::string& field, const std::string& text, std::size_t longest, bool may_be_empty) {
  const bool control = std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (control || text.size() > longest || (text.empty() && !may_be_empty)) {
    const std::string shortest = may_be_empty ? "0" : "1";
    reject(field, shown(text), shortest + " to " + std::to_string(longest) + " bytes of text without control characters");
  }
}

void check_dims(const Problem& p) {
  check_range("batch", p.batch, 1);
  check_range("queries", p.queries, 1);
  check_range("heads", p.heads, 1);
  check_range("groups", p.groups, 1);
  if (p.heads % p.groups != 0) {
    reject("heads", std::to_string(p.heads), "a multiple of groups (" + std::to_string(p.groups) + ")");
  }
  if (p.is_mla()) {
    check_range("latent", p.latent, 1);
    check_range("content_dim", p.content_dim, 1);
    check_range("query_latent", p.query_latent, 0);
  } else {
    check_range("head_dim", p.head_dim, 1);
  }
  check_range("rope_dim", p.rope_dim, 0);
  check_range("value_dim", p.value_dim, 1);
  check_range("model_dim", p.model_dim, p.start == Start::x ? 1 : 0);
  if (p.context.size() != 1 && p.context.size() != static_cast<std::size_t>(p.batch)) {
    reject("context", "a list of " + std::to_string(p.context.size()),
           "one length, or a list of one length per batch row (batch is " + std::to_string(p.batch) + ")");
  }
  for (const Index length : p.context) check_range("context", length, 0);
}

void check_norm(const Problem& p) {
  const bool known = belongs_to(p.norm.scheme, p.attention);
  if (!known) {
    const std::string allowed = p.is_mla() ? words_of(kMlaSchemeNames) : words_of(kGqaSchemeNames);
    reject("norm.scheme", shown(to_string(p.norm.scheme)), allowed + " (attention is " + to_string(p.attention) + ")");
  }
  if (p.norm.eps.sign() < 0) reject("norm.eps", p.norm.eps.text(), "a number >= 0");
  if (p.norm.latent_norm && !(p.is_mla() && p.start == Start::x)) {
    reject("norm.latent_norm", "true", "true only with attention \"mla\" and start \"x\"");
  }
}

void check_scaling(const RopeScaling& scaling) {
  if (scaling.type == RopeScaling::Type::linear) {
    if (scaling.factor.sign() <= 0) reject("rope.scaling.factor", scaling.factor.text(), "a number > 0");
    return;
  }
  if (scaling.factor.value() < 1) reject("rope.scaling.factor", scaling.factor.text(), "a number >= 1 with yarn");
  if (scaling.beta_slow.sign() <= 0) reject("rope.scaling.beta_slow", scaling.beta_slow.text(), "a number > 0");
  if (scaling.beta_fast.value() < scaling.beta_slow.value()) {
    reject("rope.scaling.beta_fast", scaling.beta_fast.text(), "a number >= beta_slow (" + scaling.beta_slow.text() + ")");
  }
  if (scaling.mscale.sign() < 0) reject("rope.scaling.mscale", scaling.mscale.text(), "a number >= 0");
  check_range("rope.scaling.original_context", scaling.original_context, 1);
}

void check_rope(const Problem& p) {
  if (p.rope.theta.sign() <= 0) reject("rope.theta", p.rope.theta.text(), "a number > 0");
  if (p.rotated_dim() % 2 != 0) reject("rope_dim", std::to_string(p.rope_dim), "an even number (or rope.layout none)");
  if (!p.is_mla() && p.rotated_dim() > p.head_dim) {
    reject("rope_dim", std::to_string(p.rope_dim), "at most head_dim (" + std::to_string(p.head_dim) + ")");
  }
  if (p.is_mla() && p.rope.part != RopePart::first) reject("rope.part", "\"last\"", "only with attention \"gqa\"");
  if (p.rope.scaling) {
    if (p.rotated_dim() == 0) reject("rope.scaling", "given", "null where nothing is rotated (rope.layout none or rope_dim 0)");
    check_scaling(*p.rope.scaling);
  }
}

void check_scores(const Problem& p) {
  if (p.mask.kind == MaskKind::window) {
    check_range("mask.window", p.mask.window, 1);
  } else if (p.mask.window != 0) {
    reject("mask.window", std::to_string(p.mask.window), "0 (only mask.kind \"window\" has a window)");
  }
  if (p.scale && p.scale->sign() <= 0) reject("scale", p.scale->text(), "\"default\" or a number > 0");
  if (p.softcap.sign() < 0) reject("softcap", p.softcap.text(), "a number >= 0 (0 is off)");
}

void check_inputs(const InputSpec& inputs) {
  if (std::find(kInputKinds.begin(), kInputKinds.end(), inputs.kind) == kInputKinds.end()) {
    std::string allowed;
    for (const std::string_view kind : kInputKinds) allowed += (allowed.empty() ? "" : ", ") + std::string(kind);
    reject("inputs.kind", shown(inputs.kind), allowed);
  }
  const bool from_file = inputs.kind == "file";
  if (from_file != !inputs.path.empty()) {
    reject("inputs.path", shown(inputs.path), from_file ? "the path of a safetensors file" : "only with inputs.kind \"file\"");
  }
  check_text("inputs.path", inputs.path, 4096, true);
}

/// Tokens before the first one have no hidden state, so from x each row must be long enough to hold its own queries.
void check_query_tokens(const Problem& p) {
  if (p.start != Start::x) return;
  const Index shortest = *std::min_element(p.context.begin(), p.context.end());
  if (p.queries > shortest) {
    reject("queries", std::to_string(p.queries),
           "at most the shortest context (" + std::to_string(shortest) + ") with start \"x\", where the last tokens of x are the queries");
  }
}

void check_sizes(const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs) {
    Index count = 1;
    for (const Index dim : spec.shape) {
      if (dim > 0 && count > kMaxElements / dim) {
        throw Error("tensor " + spec.name + " is too large; allowed: at most 2^40 elements (choose smaller dimensions)");
      }
      count *= dim;
    }
  }
}

}  // namespace

void validate(const Problem& problem) {
  check_text("name", problem.name, 200, false);
  check_text("note", problem.note, 4000, true);
  check_dims(problem);
  check_norm(problem);
  check_rope(problem);
  check_scores(problem);
  check_inputs(problem.inputs);
  check_range("precision.splits", problem.precision.splits, 1);
  check_range("precision.tile", problem.precision.tile, 0);
  check_query_tokens(problem);
  check_sizes(input_tensors(problem, default_table_rows(problem)));
  check_sizes(output_tensors(problem));
}

void check_positions(const Problem& problem, bool has_positions_q) {
  if (has_positions_q || problem.mask.kind != MaskKind::none || problem.rotated_dim() == 0) return;
  const Index shortest = *std::min_element(problem.context.begin(), problem.context.end());
  if (problem.queries > shortest) {
    reject("queries", std::to_string(problem.queries),
           "at most the shortest context (" + std::to_string(shortest) +
               ") under mask \"none\" with RoPE, unless the inputs give positions_q");
  }
}

}  // namespace equinorm::problem
