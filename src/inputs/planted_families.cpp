// Families that plant keys with large logits: planted-key, edge-logits.
//
// A fixed sign pattern d is added to every query and to the planted keys so that both still hold it, parallel, after norm, weight and
// rotation: a block that may turn gets d unrotated and divided by gamma, a block that never turns gets d sign(gamma), which leaves more of
// d's size. Gammas are a quarter larger than elsewhere, so that the largest logit stands out among a quarter of a million others too. Where
// a projection makes the keys, one input channel carries the pattern: channel 0 of the latent (mla) or of x. Queries projected from x are
// carried by channel 1, and there the pattern leaves out fast pairs, which no weight can unrotate.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "inputs/family.hpp"
#include "problem/norm_traits.hpp"

namespace equinorm::inputs {
namespace {

class PlantedKeys : public Family {
 public:
  /// Strength of each planted key: the size of the pattern beside the key's own N(0, 1) entries.
  using Strengths = std::map<Index, double>;

  PlantedKeys(const Problem& problem, const RopeTables& tables, Strengths (*place)(const Problem&, Index batch))
      : Family(problem, tables), from_x_(problem.start == problem::Start::x) {
    for (Index b = 0; b < problem.batch; ++b) strengths_.push_back(place(problem, b));
    for (const TensorSpec& spec : problem::input_tensors(problem, 1)) {
      if (spec.role == Role::gamma) gammas_[spec.name] = effective_gammas(spec);
    }
  }

 protected:
  void draw(const TensorSpec& spec, Index begin, Index count, double* out) const override {
    Family::draw(spec, begin, count, out);
    if (spec.role != Role::gamma || spec.name.ends_with("_latent")) return;
    for (Index i = 0; i < count; ++i) out[i] = zero_centred(spec) ? out[i] + (kGain - 1) : out[i] * kGain;
  }

  void adjust(const TensorSpec& spec, Index row, double* values) const override {
    problem_.is_mla() ? plant_mla(spec, row, values) : plant_gqa(spec, row, values);
    if (from_x_) adjust_x_start(spec, row, values);
  }

  /// 0.7 is about what the random parts of key and query and the spread of the gammas leave of the aligned logit.
  double typical_maximum() const override {
    const Index width = from_x_ && problem_.is_mla() ? problem_.content_dim : problem_.key_dim();
    return 0.7 * kGain * kGain * std::abs(scale()) * static_cast<double>(width);
  }

 private:
  /// A run of `width` dims of a head that starts at dim `start` of the head's weights.
  struct Block {
    const char* gamma;
    Index start, width;
    bool per_head;  ///< the gamma tensor has one run of weights per head
    bool turns;
  };

  void plant_mla(const TensorSpec& spec, Index row, double* values) const {
    const Problem& p = problem_;
    if (spec.name == "w_k" && row % p.latent == 0) {
      const std::vector<double> pattern = content_pattern('k', row / p.latent, row / p.latent);
      std::copy(pattern.begin(), pattern.end(), values);
    } else if (spec.name == "c") {
      const RowPlace place = place_of(spec, row);
      values[0] = strength(place);
    } else if (spec.name == "q_content") {
      const RowPlace place = place_of(spec, row);
      add(query_strength(), content_pattern('q', place.head, p.group_of(place.head)), values);
    } else if (spec.name == "k_rope" || spec.name == "q_rope") {
      const bool key = spec.name == "k_rope";
      const RowPlace place = place_of(spec, row);
      const Index position = key ? place.position : p.query_position(place.batch, place.position);
      std::vector<double> pattern = signs(kRopeSigns, p.rope_dim);
      unrotate(position, pattern.data());
      undo_gamma(rope_block(key), place.head, pattern);
      add(key ? strength(place) : query_strength(), pattern, values);
    }
  }

  void plant_gqa(const TensorSpec& spec, Index row, double* values) const {
    if (spec.name != "k" && spec.name != "q") return;
    const bool key = spec.name == "k";
    const RowPlace place = place_of(spec, row);
    const Index position = key ? place.position : problem_.query_position(place.batch, place.position);
    add(key ? strength(place) : query_strength(), head_pattern(key, place.head, position), values);
  }

  void adjust_x_start(const TensorSpec& spec, Index row, double* values) const {
    const Problem& p = problem_;
    const Index width = spec.shape.back();
    if (spec.name == "x") {
      const RowPlace place = place_of(spec, row);
      values[0] = strength(place);
      if (width > 1) values[1] = place.position >= p.context_of(place.batch) - p.queries ? 1.0 : 0.0;
    } else if (spec.name == "w_dkv") {
      carry(0, row == 0, spec, values);
    } else if (spec.name == "w_dq") {
      carry(1, row == 1, spec, values);
    } else if (spec.name == "gamma_kv_latent") {
      values[0] = 1;
    } else if (spec.name == "gamma_q_latent" && width > 1) {
      values[1] = 1;
    } else if ((spec.name == "w_uq" || spec.name == "w_q") && row == 1) {
      for (Index head = 0; head < p.heads; ++head) {
        double* target = values + head * p.key_dim();
        std::fill_n(target, p.key_dim(), 0.0);
        add(query_strength(), p.is_mla() ? content_pattern('q', head, p.group_of(head)) : head_pattern(false, head, 0), target);
      }
    } else if (spec.name == "w_k" && !p.is_mla() && row == 0) {
      for (Index group = 0; group < p.groups; ++group) {
        const std::vector<double> pattern = head_pattern(true, group, 0);
        std::copy(pattern.begin(), pattern.end(), values + group * p.head_dim);
      }
    }
  }

  /// Makes `channel` pass through a down-projection by itself: its row is the unit vector, its column is 0 elsewhere.
  static void carry(Index channel, bool own_row, const TensorSpec& spec, double* values) {
    const Index width = spec.shape.back();
    if (channel >= width) return;
    if (own_row) std::fill_n(values, width, 0.0);
    values[channel] = own_row ? 1.0 : 0.0;
  }

  Block rope_block(bool key) const {
    if (problem::norm_traits(problem_).spans_rope) {
      return {key ? "gamma_k" : "gamma_q", problem_.content_dim, problem_.rope_dim, false, true};
    }
    return {key ? "gamma_rk" : "gamma_rq", 0, problem_.rope_dim, !key && full_width(), true};
  }

  std::vector<double> content_pattern(char side, Index head, Index group) const {
    const bool unified = problem::norm_traits(problem_).spans_rope;
    std::vector<double> pattern = signs(static_cast<std::uint64_t>(group * problem_.content_dim), problem_.content_dim);
    const char* gamma = side == 'k' ? (unified ? "gamma_k" : "gamma_ck") : (unified ? "gamma_q" : "gamma_cq");
    undo_gamma({gamma, 0, problem_.content_dim, full_width(), false}, head, pattern);
    return pattern;
  }

  /// The pattern of a gqa head, unrotated from `position`; starting from x, without the faster half of the pairs.
  std::vector<double> head_pattern(bool key, Index head, Index position) const {
    const Problem& p = problem_;
    const Index group = key ? head : p.group_of(head);
    std::vector<double> pattern = signs(static_cast<std::uint64_t>(group * p.head_dim), p.head_dim);
    double* rotated = pattern.data() + (p.rope.part == problem::RopePart::last ? p.head_dim - p.rotated_dim() : 0);
    if (!from_x_) {
      unrotate(position, rotated);
    } else {
      for (Index pair = 0; pair < p.rotated_dim() / 4; ++pair) {
        for (const Index dim : pair_dims(pair)) rotated[dim] = 0;
      }
    }
    undo_gamma({key ? "gamma_k" : "gamma_q", 0, p.head_dim, full_width(), p.rotated_dim() > 0}, head, pattern);
    return pattern;
  }

  std::vector<double> signs(std::uint64_t offset, Index width) const {
    const RandomStream source = stream("planted pattern");
    std::vector<double> pattern;
    for (Index j = 0; j < width; ++j) pattern.push_back(source.bits(offset + static_cast<std::uint64_t>(j)) >> 63 ? -1.0 : 1.0);
    return pattern;
  }

  /// pattern / gamma or pattern sign(gamma), brought back to RMS 1.
  void undo_gamma(const Block& block, Index head, std::vector<double>& pattern) const {
    const auto found = gammas_.find(block.gamma);
    if (found == gammas_.end()) return;
    const Index start = block.start + (block.per_head ? head * block.width : 0);
    double squares = 0;
    for (Index j = 0; j < block.width; ++j) {
      double& value = pattern[static_cast<std::size_t>(j)];
      const double gamma = found->second[static_cast<std::size_t>(start + j)];
      value = block.turns ? value / gamma : std::copysign(value, value * gamma);
      squares += value * value;
    }
    const double unit = std::sqrt(static_cast<double>(block.width) / squares);
    for (double& value : pattern) value *= unit;
  }

  std::array<Index, 2> pair_dims(Index pair) const {
    if (problem_.rope.layout == problem::RopeLayout::interleaved) return {2 * pair, 2 * pair + 1};
    return {pair, pair + problem_.rotated_dim() / 2};
  }

  /// Turns the rotated dims back by the angles of `position`; a query at a negative position sees nothing and stays as it is.
  void unrotate(Index position, double* values) const {
    if (position < 0 || problem_.rotated_dim() == 0) return;
    const float* cosines = tables_.cos.row(position);
    const float* sines = tables_.sin.row(position);
    for (Index pair = 0; pair < problem_.rotated_dim() / 2; ++pair) {
      const auto [first, second] = pair_dims(pair);
      const double a = values[first], b = values[second], c = cosines[pair], s = sines[pair];
      values[first] = c * a + s * b;
      values[second] = c * b - s * a;
    }
  }

  /// gamma, or 1 + gamma; kept away from 0, where dividing by it would make one dim the whole pattern.
  std::vector<double> effective_gammas(const TensorSpec& spec) const {
    std::vector<double> gammas(static_cast<std::size_t>(spec.shape.back()));
    draw(spec, 0, spec.shape.back(), gammas.data());
    for (double& gamma : gammas) {
      if (zero_centred(spec)) gamma += 1;
      gamma = std::copysign(std::max(std::abs(gamma), 0.5), gamma);
    }
    return gammas;
  }

  double strength(const RowPlace& place) const {
    const Strengths& row = strengths_[static_cast<std::size_t>(place.batch)];
    const auto found = row.find(place.position);
    return found == row.end() ? 0.0 : found->second * damping();
  }
  double query_strength() const { return 3 * damping(); }
  /// Without a norm the logits grow with both strengths.
  double damping() const { return problem::norm_traits(problem_).normed ? 1.0 : 0.5; }
  bool full_width() const { return problem::norm_traits(problem_).over_all_heads; }

  static void add(double factor, const std::vector<double>& pattern, double* values) {
    for (std::size_t j = 0; j < pattern.size(); ++j) values[j] += factor * pattern[j];
  }

  static constexpr double kGain = 1.25;
  static constexpr std::uint64_t kRopeSigns = std::uint64_t{1} << 40;

  bool from_x_;
  std::vector<Strengths> strengths_;
  std::map<std::string, std::vector<double>> gammas_;
};

/// First key that the last query of a row sees.
Index first_live_key(const Problem& problem, Index tokens) {
  return problem.mask.kind == problem::MaskKind::window ? std::max<Index>(0, tokens - problem.mask.window) : 0;
}

/// The last key (in the last tile, page and split) has the largest logit, with the first query's last key; one in the middle and the first
/// have less, but still a share of the sum that no rounding to 16 bits hides.
PlantedKeys::Strengths plant_last(const Problem& problem, Index batch) {
  const Index tokens = problem.context_of(batch);
  PlantedKeys::Strengths strengths;
  if (tokens < 1) return strengths;
  const Index first = first_live_key(problem, tokens);
  strengths[first] = 1.5;
  strengths[first + (tokens - first) / 2] = 1.5;
  strengths[std::max<Index>(first, tokens - problem.queries)] = 8;
  strengths[tokens - 1] = 8;
  return strengths;
}

/// For up to five queries: the last live key, the masked one after it, the first live key and, under a window, the masked one before it.
PlantedKeys::Strengths plant_edges(const Problem& problem, Index batch) {
  const Index tokens = problem.context_of(batch);
  PlantedKeys::Strengths strengths;
  const Index step = std::max<Index>(1, (problem.queries + 3) / 4);
  for (Index query = problem.queries - 1; query >= 0; query -= step) {
    const Index last = problem.mask.kind == problem::MaskKind::none ? tokens - 1 : problem.query_position(batch, query);
    const Index first = problem.mask.kind == problem::MaskKind::window ? last - problem.mask.window + 1 : 0;
    for (const Index key : {first - 1, first, last, last + 1}) {
      if (key >= 0 && key < tokens) strengths[key] = 4;
    }
  }
  return strengths;
}

}  // namespace

std::unique_ptr<Family> make_planted_key(const Problem& problem, const RopeTables& tables) {
  return std::make_unique<PlantedKeys>(problem, tables, plant_last);
}
std::unique_ptr<Family> make_edge_logits(const Problem& problem, const RopeTables& tables) {
  return std::make_unique<PlantedKeys>(problem, tables, plant_edges);
}

}  // namespace equinorm::inputs
