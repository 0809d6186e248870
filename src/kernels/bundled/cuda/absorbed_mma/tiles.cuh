// How tiles of tokens come into shared memory: latents and RoPE keys, and the factors alpha_k of their scores, through stages of cp.async.
#pragma once

#include "kernels/bundled/cuda/absorbed_mma/fragments.cuh"
#include "kernels/bundled/cuda/common/paged.cuh"

namespace equinorm {

constexpr int kThreads = 256, kLatent = 512, kRope = 64, kRows = 16, kTile = 32, kStages = 4;
constexpr int kHalfSteps = (kLatent + kRope) / 16 / 2, kRopeSteps = kRope / 16;
constexpr int kStride = kLatent + kRope + 8;  // rows 16 bytes out of step: ldmatrix meets every bank once
constexpr int kScoreStride = kTile + 8;       // four rows of 64-bit accesses, 8 banks each
constexpr int kFactorStride = kRows + 4;      // eight rows of every second token: every bank once
constexpr int kScoresAt = kStages * kTile * kStride * 2, kFactorsAt = kScoresAt + 2 * kRows * kScoreStride * 4;
constexpr int kSharedBytes = kFactorsAt + kStages * kTile * kFactorStride * 4;
static_assert(kSharedBytes == 164864, "the manifests say so");

template <class T>
struct Caches {
  Pages<T> c, rope;
  int c_page_size, rope_page_size;
};

/// alpha_k as a thread copies it: for one row of the tile, every kFactorTokens-th token.
constexpr int kFactorTokens = kThreads / kRows;
template <class A>
struct FactorSource {
  const A* alpha_k;  ///< [B,T,columns]; null: no norm
  size_t first;      ///< where this thread's first one stands in it
  unsigned* words;   ///< [stages][tokens][kFactorStride]
  int columns;
};

/// The 4-byte word that holds `from`, or its first half, to shared memory; zeros where `live` is false. The tensor begins at such a word.
template <class A>
__device__ __forceinline__ void copy_factor(unsigned* to, const A* from, bool live) {
  if constexpr (sizeof(A) == 4) {
    copy4(to, from, live ? 4 : 0);
  } else {
    const auto odd = reinterpret_cast<unsigned long long>(from) & 2;
    copy4(to, reinterpret_cast<const char*>(from) - odd, live ? 2 + odd : 0);
  }
}

/// Copies tiles of a split into the stages, eight threads a token. Pages are looked up one tile ahead.
template <class T, class A>
class TileCopier {
 public:
  __device__ __forceinline__ TileCopier(const Caches<T>& caches, T* stages, int b, Range range, const FactorSource<A>& factors)
      : caches_(caches),
        alpha_k_(factors.alpha_k),
        next_alpha_(factors.alpha_k + factors.first),
        words_(factors.words + threadIdx.x / kRows * kFactorStride + threadIdx.x % kRows),
        columns_(factors.columns),
        stages_(stages),
        c_at_(range.first + threadIdx.x / 8, caches.c_page_size),
        rope_at_(range.first + threadIdx.x / 8, caches.rope_page_size),
        b_(b),
        start_(range.first),
        end_(range.last) {
    look_up();
  }

  __device__ __forceinline__ void copy_next() {
    if (start_ < end_) {
      copy_tokens();
      if (alpha_k_ != nullptr) copy_factors();
    }
    commit_copies();
    stage_ = (stage_ + 1) % kStages;
    start_ += kTile;
    c_at_.advance();
    rope_at_.advance();
    look_up();
  }

 private:
  __device__ __forceinline__ bool live(int i) const { return start_ + i < end_; }

  __device__ __forceinline__ void look_up() {
    if (!live(threadIdx.x / 8)) return;
    c_page_ = c_at_.page(caches_.c, b_);
    rope_page_ = rope_at_.page(caches_.rope, b_);
  }

  __device__ __forceinline__ void copy_tokens() const {
    const bool is_live = live(threadIdx.x / 8);
    const int chunk = threadIdx.x % 8 * 8;
    const T* latent = is_live ? c_at_.row(caches_.c, c_page_) : caches_.c.data;
    const T* rope = is_live ? rope_at_.row(caches_.rope, rope_page_) : caches_.rope.data;
    T* to = stages_ + (stage_ * kTile + threadIdx.x / 8) * kStride + chunk;
#pragma unroll
    for (int j = 0; j < kLatent / 64; ++j) copy16(to + j * 64, latent + chunk + j * 64, is_live);
    copy16(to + kLatent, rope + chunk, is_live);
  }

  __device__ __forceinline__ void copy_factors() {
#pragma unroll
    for (int i = 0; i < kTile; i += kFactorTokens) {
      const bool is_live = live(i + threadIdx.x / kRows);
      copy_factor(words_ + (stage_ * kTile + i) * kFactorStride, is_live ? next_alpha_ : alpha_k_, is_live);
      next_alpha_ += kFactorTokens * columns_;
    }
  }

  const Caches<T>& caches_;
  const A *alpha_k_, *next_alpha_;
  unsigned* words_;
  int columns_;
  T* stages_;
  PageCursor<kTile> c_at_, rope_at_;
  int b_, start_, end_, c_page_ = 0, rope_page_ = 0;
  unsigned stage_ = 0;
};

/// alpha_q alpha_k for a lane's four scores: two neighbouring tokens of rows lane / 4 and 8 below.
template <class A>
struct ScoreFactors {
  bool normed;
  int odd;           ///< bit i: of score i, alpha_k in 16 bits is the second half of its word
  float alpha_q[2];  ///< of the two rows

  /// `words` at the first score's.
  __device__ __forceinline__ void load(const unsigned* words, float (&alpha)[4]) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      alpha[i] = 1.0f;
      if (!normed) continue;
      const unsigned word = words[i % 2 * kFactorStride + i / 2 * 8];
      if constexpr (sizeof(A) == 4) {
        alpha[i] = alpha_q[i / 2] * __uint_as_float(word);
      } else {
        const float2 halves = unpack<A>(word);
        alpha[i] = alpha_q[i / 2] * ((odd >> i & 1) != 0 ? halves.y : halves.x);
      }
    }
  }
};

}  // namespace equinorm
