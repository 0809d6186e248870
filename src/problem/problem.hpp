// What is to be computed: one QK-normed attention problem, dimension by dimension.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "problem/precision.hpp"
#include "scalar/decimal.hpp"

namespace equinorm::problem {

using Index = std::int64_t;
using scalar::Decimal;

enum class Attention : std::uint8_t { mla, gqa };
enum class Start : std::uint8_t { latent, x };
enum class NormScheme : std::uint8_t { blockwise, unified, full_width, per_head, none };
enum class NormKind : std::uint8_t { rms, l2 };
enum class NormWeight : std::uint8_t { plain, zero_centred, none };
enum class RopeLayout : std::uint8_t { interleaved, half, none };
enum class RopePart : std::uint8_t { first, last };  ///< gqa: which dims of the head turn
enum class MaskKind : std::uint8_t { none, causal, window };

struct Norm {
  NormScheme scheme = NormScheme::blockwise;
  NormKind kind = NormKind::rms;
  NormWeight weight = NormWeight::plain;
  Decimal eps{"1e-6"};
  bool latent_norm = false;
};

struct RopeScaling {
  enum class Type : std::uint8_t { linear, yarn } type = Type::linear;
  Decimal factor{"1"};
  Decimal beta_fast{"32"}, beta_slow{"1"}, mscale{"1.0"};
  Index original_context = 4096;
};

struct Rope {
  RopeLayout layout = RopeLayout::interleaved;
  Decimal theta{"10000.0"};
  std::optional<RopeScaling> scaling;
  RopePart part = RopePart::first;
};

struct Mask {
  MaskKind kind = MaskKind::causal;
  Index window = 0;
};

/// Where the input tensors come from.
struct InputSpec {
  std::string kind = "normal";  ///< "normal", "uniform", an adversarial family, or "file"
  std::uint64_t seed = 1;
  std::string path;  ///< kind "file" only
};

/// One attention problem. Defaults are those of the problem file (paper-tp8). Symbols of the paper in brackets.
struct Problem {
  std::string name = "unnamed";
  std::string note;  ///< free text: where the dimensions come from, what a preset leaves out
  Attention attention = Attention::mla;
  Start start = Start::latent;
  Index batch = 1;                   ///< [B]
  Index queries = 1;                 ///< [S]
  std::vector<Index> context{4096};  ///< [T]: one length for all rows, or one per batch row
  Index heads = 16;                  ///< [H]
  Index groups = 16;                 ///< [G], divides heads
  Index latent = 512;                ///< [r], mla only
  Index content_dim = 128;           ///< [d_c], mla only
  Index rope_dim = 64;               ///< [d_r]; gqa: number of rotated dims of the head
  Index head_dim = 128;              ///< [d], gqa only
  Index value_dim = 128;             ///< [d_v]
  Index model_dim = 0;               ///< width of x and y; 0: no output projection
  Index query_latent = 0;            ///< width of the query's own latent; 0: none
  Norm norm;
  Rope rope;
  Mask mask;
  std::optional<Decimal> scale;  ///< none: the default scale
  Decimal softcap{"0"};
  bool sink = false;
  bool output_gate = false;
  InputSpec inputs;
  Precision precision;

  bool is_mla() const { return attention == Attention::mla; }
  Index max_context() const;
  Index context_of(Index batch_row) const { return context.size() == 1 ? context[0] : context.at(batch_row); }
  /// g(h) = floor(h G / H).
  Index group_of(Index head) const { return head * groups / heads; }
  /// Width of a query or key: d_c + d_r (mla), d (gqa).
  Index key_dim() const { return is_mla() ? content_dim + rope_dim : head_dim; }
  /// Number of dims that turn: 0 when the layout is `none`.
  Index rotated_dim() const { return rope.layout == RopeLayout::none ? 0 : rope_dim; }
  /// Statistics per token and side that alpha_k holds: G, or 1 for full_width.
  Index key_statistics() const;
  /// Default absolute position of query i of a row: T_b - S + i.
  Index query_position(Index batch_row, Index query) const { return context_of(batch_row) - queries + query; }
};

/// Checks every rule of the problem file that can be decided without the inputs (heads a multiple of groups, even rotated dims, known
/// combinations, sizes within the addressable range, ...). Throws Error naming the field, the value and what is allowed.
void validate(const Problem& problem);

/// The one rule that needs the inputs: under mask `none` with RoPE, every query of a row shorter than S needs an explicit position. Throws
/// Error when `has_positions_q` is false and some row is that short.
void check_positions(const Problem& problem, bool has_positions_q);

/// Largest dimension, and largest number of elements of one tensor, that validate() lets pass.
inline constexpr Index kMaxDim = Index{1} << 24;
inline constexpr Index kMaxElements = Index{1} << 40;

std::string to_string(Attention);
std::string to_string(Start);
std::string to_string(NormScheme);
std::string to_string(NormKind);
std::string to_string(NormWeight);
std::string to_string(RopeLayout);
std::string to_string(RopePart);
std::string to_string(MaskKind);
std::string to_string(PathKind);

}  // namespace equinorm::problem
