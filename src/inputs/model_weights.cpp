#include "inputs/model_weights.hpp"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <cstring>
#include <set>

#include "inputs/generate.hpp"
#include "inputs/load.hpp"
#include "inputs/transpose.hpp"
#include "inputs/weight_store.hpp"
#include "problem/norm_traits.hpp"
#include "problem/tensors.hpp"

namespace equinorm::inputs {
namespace {

using problem::Index;
using problem::Problem;
using tensor::Shape;

/// Elements [begin, begin + count) as a vector of its own.
AnyTensor slice(const AnyTensor& source, Index begin, Index count) {
  AnyTensor result(source.dtype(), {count});
  std::memcpy(result.mutable_bytes(), source.bytes() + begin * static_cast<Index>(tensor::size_of(source.dtype())), result.byte_size());
  return result;
}

/// What the names of the layer's attention weights begin with.
std::string find_prefix(const WeightStore& store, Index layer) {
  for (const char* root : {"model", "model.language_model", "language_model.model"}) {
    const std::string prefix = fmt::format("{}.layers.{}.self_attn.", root, layer);
    if (store.contains(prefix + "o_proj.weight")) return prefix;
  }
  throw Error(fmt::format("{}: has no tensor \"model.layers.{}.self_attn.o_proj.weight\"; layer {} is missing or has no attention",
                          store.path(), layer, layer));
}

/// Maps the attention weights of one layer. Every method moves one projection or norm of the file into inputs.
class LayerReader {
 public:
  LayerReader(const Problem& problem, const std::string& path, Index layer, Index first_head)
      : problem_(problem), store_(path), prefix_(find_prefix(store_, layer)), first_head_(first_head) {}

  ModelLayer read() {
    problem_.is_mla() ? read_mla() : read_gqa();
    read_output();
    generate_rest();
    if (gate_source_) read_gate();
    check_inputs(problem_, layer_.inputs);
    return std::move(layer_);
  }

 private:
  /// The matrix of a linear layer, after checking its width and that it has no bias.
  AnyTensor linear(const std::string& name, Index columns, Index row_unit) {
    if (store_.contains(prefix_ + name + ".bias")) {
      throw Error(fmt::format("{}: tensor \"{}{}.bias\": projections with a bias cannot be expressed", store_.path(), prefix_, name));
    }
    AnyTensor matrix = store_.get(prefix_ + name + ".weight");
    const Shape& shape = matrix.shape();
    if (shape.size() != 2 || shape[1] != columns || shape[0] == 0 || shape[0] % row_unit != 0) {
      fail(name, shape, fmt::format("[a multiple of {},{}]", row_unit, columns));
    }
    return matrix;
  }

  [[noreturn]] void fail(const std::string& name, const Shape& shape, const std::string& wanted) const {
    throw Error(fmt::format("{}: tensor \"{}{}.weight\" has shape {}; it must be {}", store_.path(), prefix_, name,
                            tensor::to_string(shape), wanted));
  }

  /// Heads of the file: `rows` rows of `unit` rows a head. Checks that the problem's slice lies among them.
  void check_heads(const std::string& name, const AnyTensor& matrix, Index unit, Index first, Index count) {
    const Index heads = matrix.shape()[0] / unit;
    if (first < 0 || first + count > heads) {
      throw Error(fmt::format("{}: tensor \"{}{}.weight\" has {} heads; heads {} to {} were asked for", store_.path(), prefix_, name, heads,
                              first, first + count - 1));
    }
    if (count < heads) note("{}: heads {} to {} of {}", name, first, first + count - 1, heads);
  }

  /// Stores the transposition of whole-row range [row, row + rows) as tensor `name` [columns, rows].
  void store_transposed(const std::string& name, const AnyTensor& matrix, Index row, Index rows) {
    const Index columns = matrix.shape()[1];
    AnyTensor result(matrix.dtype(), {columns, rows});
    transpose_block(matrix, {row, rows, 0, columns}, result, 0, rows);
    layer_.inputs.insert_or_assign(name, std::move(result));
  }

  void read_vector(const std::string& source, const std::string& name, Index begin, Index count, Index total) {
    const AnyTensor vector = store_.get(prefix_ + source + ".weight");
    if (vector.size() != total) fail(source, vector.shape(), fmt::format("[{}]", total));
    layer_.inputs.insert_or_assign(name, slice(vector, begin, count));
  }

  void read_mla() {
    const Problem& p = problem_;
    const AnyTensor down = linear("kv_a_proj_with_mqa", p.model_dim, 1);
    if (down.shape()[0] != p.latent + p.rope_dim)
      fail("kv_a_proj_with_mqa", down.shape(), fmt::format("[{},{}]", p.latent + p.rope_dim, p.model_dim));
    store_transposed("w_dkv", down, 0, p.latent);
    if (p.rope_dim > 0) store_transposed("w_kr", down, p.latent, p.rope_dim);
    read_up_projection();

    const std::string query = p.query_latent > 0 ? "q_b_proj" : "q_proj";
    if (p.query_latent > 0) {
      const AnyTensor query_down = linear("q_a_proj", p.model_dim, 1);
      if (query_down.shape()[0] != p.query_latent)
        fail("q_a_proj", query_down.shape(), fmt::format("[{},{}]", p.query_latent, p.model_dim));
      store_transposed("w_dq", query_down, 0, p.query_latent);
    }
    const AnyTensor query_up = linear(query, p.query_latent > 0 ? p.query_latent : p.model_dim, p.key_dim());
    check_heads(query, query_up, p.key_dim(), first_head_, p.heads);
    store_transposed("w_uq", query_up, first_head_ * p.key_dim(), p.heads * p.key_dim());
    if (p.norm.latent_norm) {
      read_vector("kv_a_layernorm", "gamma_kv_latent", 0, p.latent, p.latent);
      if (p.query_latent > 0) read_vector("q_a_layernorm", "gamma_q_latent", 0, p.query_latent, p.query_latent);
    }
  }

  /// kv_b_proj: per head d_c rows of the key, then d_v of the value; each becomes a [r, width] matrix of its own.
  void read_up_projection() {
    const Problem& p = problem_;
    if (p.groups != p.heads) throw Error(fmt::format("groups is {}; models with a latent have one group per head ({})", p.groups, p.heads));
    const Index unit = p.content_dim + p.value_dim;
    const AnyTensor up = linear("kv_b_proj", p.latent, unit);
    check_heads("kv_b_proj", up, unit, first_head_, p.heads);
    AnyTensor w_k(up.dtype(), {p.groups, p.latent, p.content_dim});
    AnyTensor w_v(up.dtype(), {p.groups, p.latent, p.value_dim});
    for (Index group = 0; group < p.groups; ++group) {
      const Index row = (first_head_ + group) * unit;
      transpose_block(up, {row, p.content_dim, 0, p.latent}, w_k, group * p.latent * p.content_dim, p.content_dim);
      transpose_block(up, {row + p.content_dim, p.value_dim, 0, p.latent}, w_v, group * p.latent * p.value_dim, p.value_dim);
    }
    layer_.inputs.insert_or_assign("w_k", std::move(w_k));
    layer_.inputs.insert_or_assign("w_v", std::move(w_v));
  }

  void read_gqa() {
    const Problem& p = problem_;
    const Index heads_per_group = p.heads / p.groups;
    if (first_head_ % heads_per_group != 0) {
      throw Error(fmt::format("first head {}: a slice must begin with a group, at a multiple of {}", first_head_, heads_per_group));
    }
    const Index first_group = first_head_ / heads_per_group;
    const AnyTensor key = linear("k_proj", p.model_dim, p.head_dim);
    const AnyTensor value = linear("v_proj", p.model_dim, p.value_dim);
    check_heads("k_proj", key, p.head_dim, first_group, p.groups);
    check_heads("v_proj", value, p.value_dim, first_group, p.groups);
    store_transposed("w_k", key, first_group * p.head_dim, p.groups * p.head_dim);
    store_transposed("w_v", value, first_group * p.value_dim, p.groups * p.value_dim);
    read_gqa_query(key.shape()[0] / p.head_dim * heads_per_group);
    read_qk_norms(key.shape()[0] / p.head_dim, heads_per_group);
  }

  void read_gqa_query(Index file_heads) {
    const Problem& p = problem_;
    AnyTensor query = linear("q_proj", p.model_dim, p.head_dim);
    const bool gated = p.output_gate && query.shape()[0] == 2 * file_heads * p.head_dim;
    const Index unit = gated ? 2 * p.head_dim : p.head_dim;
    check_heads("q_proj", query, unit, first_head_, p.heads);
    AnyTensor w_q(query.dtype(), {p.model_dim, p.heads * p.head_dim});
    for (Index head = 0; head < p.heads; ++head) {
      transpose_block(query, {(first_head_ + head) * unit, p.head_dim, 0, p.model_dim}, w_q, head * p.head_dim, p.heads * p.head_dim);
    }
    layer_.inputs.insert_or_assign("w_q", std::move(w_q));
    if (!gated) return;
    if (p.value_dim != p.head_dim)
      throw Error(fmt::format("value_dim is {}; with a gate in q_proj it must be head_dim ({})", p.value_dim, p.head_dim));
    gate_source_ = std::move(query);
  }

  void read_qk_norms(Index file_groups, Index heads_per_group) {
    const Problem& p = problem_;
    if (!problem::norm_traits(p).normed || p.norm.weight == problem::NormWeight::none) return;
    if (!store_.contains(prefix_ + "q_norm.weight") || !store_.contains(prefix_ + "k_norm.weight")) return;
    if (!problem::norm_traits(p).over_all_heads) {
      read_vector("q_norm", "gamma_q", 0, p.head_dim, p.head_dim);
      read_vector("k_norm", "gamma_k", 0, p.head_dim, p.head_dim);
      return;
    }
    if (file_groups != p.groups) {
      throw Error(fmt::format("groups is {}; a full-width norm needs all {} groups of the file", p.groups, file_groups));
    }
    read_vector("q_norm", "gamma_q", 0, p.heads * p.head_dim, file_groups * heads_per_group * p.head_dim);
    read_vector("k_norm", "gamma_k", 0, p.groups * p.head_dim, file_groups * p.head_dim);
  }

  void read_output() {
    const Problem& p = problem_;
    AnyTensor output = store_.get(prefix_ + "o_proj.weight");
    const Shape& shape = output.shape();
    const Index width = p.heads * p.value_dim, begin = first_head_ * p.value_dim;
    if (shape.size() != 2 || shape[0] != p.model_dim || begin + width > shape[1]) {
      fail("o_proj", shape, fmt::format("[{},at least {}]", p.model_dim, begin + width));
    }
    linear("o_proj", shape[1], 1);
    AnyTensor w_o(output.dtype(), {width, p.model_dim});
    transpose_block(output, {0, p.model_dim, begin, width}, w_o, 0, p.model_dim);
    layer_.inputs.insert_or_assign("w_o", std::move(w_o));
  }

  /// Draws what the checkpoint does not hold, always x among it.
  void generate_rest() {
    Problem drawn = problem_;
    if (drawn.inputs.kind == "file") drawn.inputs = {"normal", problem_.inputs.seed, ""};
    std::set<std::string> missing;
    for (const problem::TensorSpec& spec : problem::input_tensors(problem_, 1)) {
      if (spec.role == problem::Role::positions || layer_.inputs.count(spec.name) > 0 || (spec.name == "gate" && gate_source_)) continue;
      missing.insert(spec.name);
      if (spec.role != problem::Role::rope_table) {
        note("{}: not in the checkpoint, drawn ({}, seed {})", spec.name, drawn.inputs.kind, drawn.inputs.seed);
      }
    }
    layer_.inputs.merge(generate_inputs(drawn, missing));
  }

  /// gate[b,s,:] = x of the query's token times W_gate, summed in binary64 over the hidden dims in order.
  void read_gate() {
    const Problem& p = problem_;
    const AnyTensor& x = layer_.inputs.at("x");
    const Index width = p.heads * p.value_dim, queries = p.batch * p.queries;
    std::vector<double> tokens(static_cast<std::size_t>(queries * p.model_dim)), gate(static_cast<std::size_t>(queries * width));
    for (Index b = 0; b < p.batch; ++b) {
      const Index token = b * p.max_context() + p.context_of(b) - p.queries;
      x.read(token * p.model_dim, p.queries * p.model_dim, tokens.data() + b * p.queries * p.model_dim);
    }
    tbb::parallel_for(Index{0}, width, [&](Index j) {
      std::vector<double> weights(static_cast<std::size_t>(p.model_dim));
      const Index row = (first_head_ + j / p.head_dim) * 2 * p.head_dim + p.head_dim + j % p.head_dim;
      gate_source_->read(row * p.model_dim, p.model_dim, weights.data());
      for (Index query = 0; query < queries; ++query) {
        double sum = 0;
        for (Index m = 0; m < p.model_dim; ++m)
          sum += tokens[static_cast<std::size_t>(query * p.model_dim + m)] * weights[static_cast<std::size_t>(m)];
        gate[static_cast<std::size_t>(query * width + j)] = sum;
      }
    });
    AnyTensor result(x.dtype(), {p.batch, p.queries, width});
    result.write(0, queries * width, gate.data());
    layer_.inputs.insert_or_assign("gate", std::move(result));
    note("gate: x times the gate rows of q_proj, rounded to {}", tensor::to_string(x.dtype()));
  }

  template <class... T>
  void note(fmt::format_string<T...> text, T&&... values) {
    layer_.notes.push_back(fmt::format(text, std::forward<T>(values)...));
  }

  const Problem& problem_;
  WeightStore store_;
  std::string prefix_;
  Index first_head_;
  ModelLayer layer_;
  std::optional<AnyTensor> gate_source_;  ///< q_proj where it holds the gate too
};

}  // namespace

Problem problem_from_x(Problem problem, const std::string& path, Index layer) {
  WeightStore store(path);
  const std::string prefix = find_prefix(store, layer);
  if (problem.start == problem::Start::latent) {
    const Shape output = store.get(prefix + "o_proj.weight").shape();
    if (problem.model_dim == 0 && !output.empty()) problem.model_dim = output[0];
    problem.norm.latent_norm = problem.is_mla() && store.contains(prefix + "kv_a_layernorm.weight");
    problem.start = problem::Start::x;
  }
  problem::validate(problem);
  return problem;
}

ModelLayer load_model_layer(const Problem& problem, const std::string& path, Index layer, Index first_head) {
  if (problem.start != problem::Start::x) throw Error("start is \"latent\"; weights of a model need start \"x\"");
  return LayerReader(problem, path, layer, first_head).read();
}

}  // namespace equinorm::inputs
