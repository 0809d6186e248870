#include "bounds/bound_run.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>

#include "paths/load_inputs.hpp"
#include "paths/path.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::bounds {
namespace {

/// Every bound is a sum, product or quotient of non-negative numbers; 2^22 roundings of binary64 stay below this factor (slack_covers).
constexpr double kSlack = 1 + 0x1p-30;

/// Inputs as they are.
struct AsIs {
  using Value = double;
  double input(double x) const { return x; }
  double table(double x) const { return x; }
};

Index score_count(const problem::Problem& pb) { return pb.batch * pb.heads * pb.queries * pb.max_context(); }

/// Columns [first, first + width of from) of to.
template <class T>
void put_columns(const Tensor<T>& from, Index first, Tensor<T>& to) {
  for (Index i = 0; i < from.dim(0); ++i) std::copy_n(from.row(i), from.dim(1), to.row(i) + first);
}

}  // namespace

Common::Common(const problem::Problem& pb, const tensor::TensorMap& inputs, std::size_t runs)
    : problem(pb),
      in(paths::load_inputs(AsIs{}, pb, inputs)),
      own_plan(bounds::own_plan(true)),
      own(own_setting(problem, own_plan, PathKind::explicit_form)),
      own_errors(runs > 1 && score_count(pb) <= Index{1} << 25),
      scores(runs > 1 && score_count(pb) <= Index{1} << 23) {}

RowBlock::RowBlock(const Setting& at, const Common& common, std::shared_ptr<const Sources> of, Index b, const Tokens& tokens,
                   const std::vector<SquareSums>& sums)
    : sources(std::move(of)), row(make_row_keys(at, common.in, *sources, b, tokens, sums)) {}

BoundRun::BoundRun(const Setting& at, Common& common, const std::set<std::string>& wanted, const HandedOver* given, double lambda,
                   Index token_block)
    : at_(at),
      same_plan_(own_plan(at.plan.fold_alpha_q)),
      same_(own_setting(at.problem, same_plan_, at.form)),
      common_(common),
      wanted_(wanted),
      lambda_(lambda),
      token_block_(token_block),
      given_(given),
      pb_(at.problem),
      in_(common.in),
      average_(lambda > 0 || wants({"o", "o_gated", "y"})),
      latent_(at.absorbed_mla() && (average_ || wants({"u"}))),
      weights_(average_ || latent_ || wants({"p", "lse"})),
      scores_(weights_ || wants({"logits", kUnsharedLogits})),
      queries_(scores_ || wants({"alpha_q", "q_hat", "q_rope_hat", "q_tilde"})),
      keys_(scores_ || wants({"alpha_k", "k_hat", "k_deferred"})),
      keeps_keys_(wants({"alpha_k", "k_hat", "k_deferred"})),
      keeps_queries_(wants({"alpha_q", "q_hat", "q_rope_hat", "q_tilde"})) {
  for (const problem::TensorSpec& spec : paths::outputs_of(at.form, at.problem, at.plan)) {
    const bool needed = (spec.name == "o" && average_) || (spec.name == "o_gated" && wanted.contains("y"));
    if (wanted.contains(spec.name) || needed) out_.emplace(spec.name, Tensor<double>(spec.shape));
  }
  if (wanted.contains(kUnsharedLogits)) {
    out_.emplace(kUnsharedLogits, Tensor<double>({pb_.batch, pb_.heads, pb_.queries, pb_.max_context()}));
  }
  const bool keeps_content = lambda > 0 || wants({"k_hat", "k_deferred"});
  needs_.errors = given == nullptr || !given->knows_keys(at);
  needs_.content = scores_ || keeps_content;
  needs_.content_errors = keeps_content || !(at.absorbed() || is_given("k_hat"));
  if (average_) o_ = Tensor<double>({pb_.batch, pb_.queries, pb_.heads * pb_.value_dim});
}

bool BoundRun::wants(std::initializer_list<const char*> names) const {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return wanted_.contains(name); });
}

Tensor<double>* BoundRun::find(const char* name) {
  const auto found = out_.find(name);
  return found == out_.end() ? nullptr : &found->second;
}

Bounds BoundRun::run() {
  for (const char* name : {"logits", "o"}) {
    if (lambda_ > 0 && wanted_.contains(name) && find(name) != nullptr) probable_.emplace(name, Tensor<double>(find(name)->shape()));
  }
  for (Index b = 0; b < pb_.batch; ++b) run_row(b);
  for (auto entry = out_.begin(); entry != out_.end();) {
    if (!wanted_.contains(entry->first)) {
      entry = out_.erase(entry);
      continue;
    }
    for (Index i = 0; i < entry->second.size(); ++i) {
      double& bound = entry->second[i];
      if (!(bound <= 0)) bound = bound < kInfinity ? bound * kSlack + kDecidable : kInfinity;
    }
    ++entry;
  }
  return std::move(out_);
}

/// Statistics over all heads, from the keys of some tokens after the other.
std::vector<SquareSums> BoundRun::all_sums(const Setting& at, const RowSources& sources, const Row& row) const {
  std::vector<SquareSums> sums;
  for (const Tokens& tokens : row.blocks) {
    const std::vector<SquareSums> some =
        RowBlock(at, common_, std::make_shared<const Sources>(sources.of(tokens)), row.b, tokens, {}).row.sums;
    sums.insert(sums.end(), some.begin(), some.end());
  }
  return sums;
}

std::unique_ptr<RowBlock> BoundRun::make_rows(const Row& row, std::size_t block) const {
  auto sources = std::make_shared<const Sources>(row.sources.of(row.blocks[block]));
  auto made = std::make_unique<RowBlock>(at_, common_, std::move(sources), row.b, row.blocks[block], row.sums);
  if (given_ != nullptr) given_->replace(made->row);
  return made;
}

/// From the latent both settings have the same sources, inputs.
std::unique_ptr<RowBlock> BoundRun::make_own_rows(const Row& row, std::size_t block, const RowBlock& beside) const {
  const Tokens& tokens = row.blocks[block];
  auto sources = pb_.start == problem::Start::x ? std::make_shared<const Sources>(row.own_sources.of(tokens)) : beside.sources;
  return std::make_unique<RowBlock>(common_.own, common_, std::move(sources), row.b, tokens, row.own_sums);
}

void BoundRun::run_row(Index b) {
  const Index tokens = pb_.context_of(b);
  // Probable bounds look at all tokens' keys at once; theirs are small problems.
  Row row{.b = b,
          .sources = {at_, in_, b},
          .own_sources = {common_.own, in_, b},
          .blocks = lambda_ > 0 ? token_blocks(tokens, std::max<Index>(1, tokens)) : token_blocks(tokens, token_block_),
          .sums = {},
          .own_sums = {},
          .lengths = {},
          .only = nullptr,
          .own_only = nullptr};
  const bool several = row.blocks.size() > 1;
  const bool keeps_rope = find("k_rope_cached") != nullptr;
  if (!several) {
    row.only = make_rows(row, 0);
    if (keys_ || keeps_rope) row.own_only = make_own_rows(row, 0, *row.only);
  } else if (problem::norm_traits(pb_).over_all_heads && keys_) {
    row.sums = all_sums(at_, row.sources, row);
    row.own_sums = all_sums(common_.own, row.own_sources, row);
  }
  if (keeps_rope && !several) keep_rope(row.only->row, row.own_only->row);
  for (std::size_t k = 0; k < row.blocks.size() && keeps_rope && several; ++k) {
    const std::unique_ptr<RowBlock> rows = make_rows(row, k);
    keep_rope(rows->row, make_own_rows(row, k, *rows)->row);
  }
  if (average_ && pb_.is_mla()) row.lengths = latent_lengths(row.sources, row.own_sources, pb_.latent);
  if (!keys_ && !queries_) return;
  if (several) {
    for (Index g = 0; g < pb_.groups; ++g) run_group(row, g);
  } else {
    tbb::parallel_for(Index{0}, pb_.groups, [&](Index g) { run_group(row, g); });
  }
  if (average_) finish_row(b);
}

BoundRun::KeyBlock BoundRun::make_keys(const Row& row, Index g, std::size_t block, bool with_own) const {
  KeyBlock keys;
  if (!row.only) keys.made = make_rows(row, block);
  keys.row = row.only ? &row.only->row : &keys.made->row;
  keys.keys = make_group_keys(at_, in_, *keys.row, g, needs_);
  if (given_ != nullptr) given_->replace(*keys.row, g, keys.keys);
  if (!with_own && !keeps_keys_) return keys;
  if (!row.own_only) keys.own_made = make_own_rows(row, block, *keys.made);
  keys.own_row = row.own_only ? &row.own_only->row : &keys.own_made->row;
  if (with_own) keys.own = make_group_keys(common_.own, in_, *keys.own_row, g);
  if (keeps_keys_) keys.same = make_group_keys(same_, in_, *keys.own_row, g);
  return keys;
}

void BoundRun::run_group(const Row& row, Index g) {
  std::vector<QueryIndex> rows;
  for (Index h = 0; h < pb_.heads; ++h) {
    for (Index s = 0; pb_.group_of(h) == g && s < pb_.queries; ++s) rows.push_back({s, h});
  }
  const bool several = row.blocks.size() > 1;
  const bool own_known = common_.own_errors.find({0, row.b, g, 0}) != nullptr,
             scores_known = scores_ && common_.scores.find({number_, row.b, g, 0}) != nullptr;
  KeyBlock only;
  if (!several && keys_ && !scores_known) {
    only = make_keys(row, g, 0, scores_ && !own_known);
    if (keeps_keys_) keep_keys(only, g);
  } else if (keys_ && !scores_) {
    tbb::parallel_for(std::size_t{0}, row.blocks.size(), [&](std::size_t k) { keep_keys(make_keys(row, g, k, false), g); });
  }
  if (!queries_) return;
  const Values values = average_ ? group_values(at_, in_, row.sources, row.own_sources, row.blocks, row.lengths, g) : Values{};
  const Index chunks = (static_cast<Index>(rows.size()) + kRowChunk - 1) / kRowChunk;
  const auto run = [&](Index chunk) {
    const auto begin = rows.begin() + chunk * kRowChunk;
    const auto end = rows.begin() + std::min<Index>(static_cast<Index>(rows.size()), (chunk + 1) * kRowChunk);
    run_chunk(row, {g, chunk, {begin, end}, several ? nullptr : &only, values});
  };
  if (several) {
    for (Index chunk = 0; chunk < chunks; ++chunk) run(chunk);
  } else {
    tbb::parallel_for(Index{0}, chunks, run);
  }
}

void BoundRun::run_chunk(const Row& row, const Chunk& chunk) {
  RowKeys queries_of;
  queries_of.sources = &row.sources.queries(), queries_of.b = row.b;
  Queries queries = make_queries(at_, in_, queries_of, chunk.g, chunk.rows);
  if (given_ != nullptr) given_->replace(row.b, chunk.rows, queries);
  if (keeps_queries_) keep_queries(row, chunk, queries);
  if (scores_) attend(row, chunk, queries, all_scores(row, chunk, queries));
}

Scores BoundRun::all_scores(const Row& row, const Chunk& chunk, const Queries& queries) {
  const RunPlace place{number_, row.b, chunk.g, chunk.number};
  if (number_ == 0) return make_all_scores(row, chunk, queries);
  if (const Scores* known = common_.scores.find(place)) return *known;
  Scores made = make_all_scores(row, chunk, queries);
  common_.scores.keep(place, made);
  return made;
}

/// The scores of all tokens, block by block: a block's keys live no longer than that.
Scores BoundRun::make_all_scores(const Row& row, const Chunk& chunk, const Queries& queries) {
  const Index n = static_cast<Index>(chunk.rows.size()), tokens = row.sources.tokens();
  const RunPlace place{0, row.b, chunk.g, chunk.number};
  const Tensor<double>* known = common_.own_errors.find(place);
  const bool makes_own = known == nullptr;
  RowKeys own_queries_of;
  own_queries_of.sources = &row.own_sources.queries(), own_queries_of.b = row.b;
  const Queries own_queries = makes_own ? make_queries(common_.own, in_, own_queries_of, chunk.g, chunk.rows) : Queries{};
  const auto empty = [&] { return Tensor<double>({n, tokens}); };
  Scores all{empty(), empty(), empty(), known != nullptr ? *known : empty(), Tensor<std::uint8_t>({n, tokens})};
  tbb::parallel_for(std::size_t{0}, row.blocks.size(), [&](std::size_t k) {
    const KeyBlock made = chunk.only == nullptr ? make_keys(row, chunk.g, k, makes_own) : KeyBlock{};
    const KeyBlock& keys = chunk.only == nullptr ? made : *chunk.only;
    if (chunk.only == nullptr && chunk.number == 0 && keeps_keys_) keep_keys(keys, chunk.g);
    const Index first = row.blocks[k].first;
    const Scores some = make_scores(at_, *keys.row, keys.keys, queries, chunk.rows);
    put_columns(some.logit, first, all.logit), put_columns(some.radius, first, all.radius);
    put_columns(some.unshared, first, all.unshared), put_columns(some.live, first, all.live);
    if (makes_own) put_columns(make_scores(common_.own, *keys.own_row, keys.own, own_queries, chunk.rows).radius, first, all.own);
  });
  if (makes_own) common_.own_errors.keep(place, all.own);
  if (given_ != nullptr) given_->replace(row.b, chunk.rows, all);
  return all;
}

void BoundRun::attend(const Row& row, const Chunk& chunk, const Queries& queries, const Scores& scores) {
  std::vector<RowWeights> weights(chunk.rows.size());
  for (std::size_t i = 0; i < chunk.rows.size(); ++i) {
    if (weights_) weights[i] = weights_of(row.b, scores, static_cast<Index>(i), chunk.rows[i]);
    keep_scores(row, scores, weights[i], static_cast<Index>(i), chunk.rows[i]);
  }
  const Tensor<double> expanded = latent_ ? latent_part(row, chunk, scores, weights) : Tensor<double>{};
  if (!average_) return;
  const AverageBound average = average_bound(at_, weights, scores, ValueView(chunk.values));
  keep_average(row, chunk, weights, average, expanded);
  if (!probable_.empty()) keep_probable(chunk, queries, scores, weights, average);
}

RowWeights BoundRun::weights_of(Index b, const Scores& scores, Index i, const QueryIndex& at_query) const {
  const double* sink = pb_.sink ? in_.at("sink").data() + at_query.h : nullptr;
  RowWeights made = make_weights(at_, scores, i, sink);
  if (!is_given("p")) return made;
  std::vector<double> radius(made.p.size());
  const Index from = ((b * pb_.heads + at_query.h) * pb_.queries + at_query.s) * pb_.max_context();
  for (std::size_t t = 0; t < radius.size(); ++t) radius[t] = given_->radius("p", from + static_cast<Index>(t), made.p[t]);
  return given_weights(at_, scores, i, sink, std::move(radius));
}

}  // namespace equinorm::bounds
