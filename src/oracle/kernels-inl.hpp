// Bodies of the kernels for one lane type L. Included by kernels_*.cpp, each inside its own anonymous namespace's instantiation.
#pragma once

#include "oracle/functions.hpp"
#include "oracle/kernels.hpp"

namespace equinorm::oracle {
namespace {

/// One term of a pair dot, as kernels.hpp states.
template <class L, bool kLowA, bool kLowB>
EQUINORM_ORACLE_INLINE void term(typename L::V ah, typename L::V al, typename L::V bh, typename L::V bl, typename L::V& s,
                                 typename L::V& c) {
  using V = typename L::V;
  const V p = ah * bh;
  const V e = L::fma(ah, bh, -p);
  V next, sigma;
  two_sum<L>(s, p, next, sigma);
  V small = sigma + e;
  if constexpr (kLowA && kLowB) {
    small = small + L::fma(ah, bl, al * bh);
  } else if constexpr (kLowA) {
    small = small + al * bh;
  } else if constexpr (kLowB) {
    small = small + ah * bl;
  }
  s = next;
  c = c + small;
}

template <class L>
double largest(Index count, const double* x) {
  using V = typename L::V;
  V most = L::set(0.0);
  for (Index i = 0; i < count; i += L::kCount) {
    const V magnitude = L::abs(L::load(x + i));
    most = magnitude > most ? magnitude : most;
  }
  double lanes[L::kCount], result = 0;
  L::store(lanes, most);
  for (const double lane : lanes) result = lane > result ? lane : result;
  return result;
}

template <class L>
void magnitudes(Index dim, const double* x, double* total) {
  for (Index t = 0; t < kBlock; t += L::kCount) L::store(total + t, L::set(0.0));
  for (Index m = 0; m < dim; ++m) {
    for (Index t = 0; t < kBlock; t += L::kCount) L::store(total + t, L::load(total + t) + L::abs(L::load(x + m * kBlock + t)));
  }
}

template <class L>
void cut(Index dim, const double* unit, double* rest, double* slice, double* total, unsigned char* dirty) {
  using V = typename L::V;
  double left[L::kCount];
  for (Index t = 0; t < kBlock; t += L::kCount) L::store(total + t, L::set(0.0));
  for (Index m = 0; m < dim; ++m) {
    V any = L::set(0.0);
    for (Index t = 0; t < kBlock; t += L::kCount) {
      const V magic = L::load(unit + t) * L::set(0x1.8p52), x = L::load(rest + m * kBlock + t);
      const V part = (x + magic) - magic, remains = x - part;
      L::store(slice + m * kBlock + t, part);
      L::store(rest + m * kBlock + t, remains);
      L::store(total + t, L::load(total + t) + L::abs(part));
      any = any + L::abs(remains);
    }
    L::store(left, any);
    dirty[m] = 0;
    for (const double sum : left) dirty[m] |= static_cast<unsigned char>(sum != 0);
  }
}

template <class L>
void absorb(Index dim, const double* more, double* hi, double* lo, double* lost) {
  using V = typename L::V;
  for (Index j = 0; j < dim; ++j) {
    for (Index t = 0; t < kBlock; t += L::kCount) {
      const Index at = j * kBlock + t;
      V s, sigma, l, error;
      two_sum<L>(L::load(hi + at), L::load(more + at), s, sigma);
      two_sum<L>(L::load(lo + at), sigma, l, error);
      L::store(hi + at, s);
      L::store(lo + at, l);
      L::store(lost + t, L::load(lost + t) + L::abs(error));
    }
  }
}

/// One vector of tokens; z and the result point at its first token.
template <class L, bool kLowA, bool kLowZ>
EQUINORM_ORACLE_INLINE void dot_vector(Index dim, const double* zh, const double* zl, const double* ah, const double* al, double* hi,
                                       double* lo) {
  using V = typename L::V;
  const V zero = L::set(0.0);
  V s = zero, c = zero;
  for (Index j = 0; j < dim; ++j) {
    const V a = L::set(ah[j]), a_low = kLowA ? L::set(al[j]) : zero;
    const V z = L::load(zh + j * kBlock), z_low = kLowZ ? L::load(zl + j * kBlock) : zero;
    term<L, kLowA, kLowZ>(a, a_low, z, z_low, s, c);
  }
  two_sum<L>(s, c, s, c);
  L::store(hi, s);
  L::store(lo, c);
}

template <class L>
void dots(Index dim, const double* zh, const double* zl, const bool* low, const double* ah, const double* al, double* hi, double* lo) {
  for (Index t = 0; t < kBlock; t += L::kCount) {
    if (low[t / kGroup]) {
      al != nullptr ? dot_vector<L, true, true>(dim, zh + t, zl + t, ah, al, hi + t, lo + t)
                    : dot_vector<L, false, true>(dim, zh + t, zl + t, ah, nullptr, hi + t, lo + t);
    } else {
      al != nullptr ? dot_vector<L, true, false>(dim, zh + t, nullptr, ah, al, hi + t, lo + t)
                    : dot_vector<L, false, false>(dim, zh + t, nullptr, ah, nullptr, hi + t, lo + t);
    }
  }
}

template <class L, bool kLow>
EQUINORM_ORACLE_INLINE void square_vector(Index dim, const double* zh, const double* zl, double* hi, double* lo) {
  using V = typename L::V;
  V s = L::set(0.0), c = L::set(0.0);
  for (Index j = 0; j < dim; ++j) {
    const V z = L::load(zh + j * kBlock), z_low = kLow ? L::load(zl + j * kBlock) : L::set(0.0);
    term<L, kLow, kLow>(z, z_low, z, z_low, s, c);
  }
  two_sum<L>(s, c, s, c);
  L::store(hi, s);
  L::store(lo, c);
}

template <class L>
void squares(Index dim, const double* zh, const double* zl, const bool* low, double* hi, double* lo) {
  for (Index t = 0; t < kBlock; t += L::kCount) {
    low[t / kGroup] ? square_vector<L, true>(dim, zh + t, zl + t, hi + t, lo + t)
                    : square_vector<L, false>(dim, zh + t, nullptr, hi + t, lo + t);
  }
}

/// kVectors registers of columns at once, so that their chains of additions overlap.
template <class L, int kVectors, bool kLowE, bool kLowC>
EQUINORM_ORACLE_INLINE void combine_columns(Index terms, const double* eh, const double* el, const double* ch, const double* cl,
                                            Index stride, double* hi, double* lo) {
  using V = typename L::V;
  V s[kVectors], c[kVectors];
  for (int v = 0; v < kVectors; ++v) s[v] = c[v] = L::set(0.0);
  for (Index t = 0; t < terms; ++t) {
    const V e = L::set(eh[t]), e_low = kLowE ? L::set(el[t]) : L::set(0.0);
    for (int v = 0; v < kVectors; ++v) {
      const Index at = t * stride + v * L::kCount;
      term<L, kLowE, kLowC>(e, e_low, L::load(ch + at), kLowC ? L::load(cl + at) : L::set(0.0), s[v], c[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    two_sum<L>(s[v], c[v], s[v], c[v]);
    L::store(hi + v * L::kCount, s[v]);
    L::store(lo + v * L::kCount, c[v]);
  }
}

template <class L, bool kLowE, bool kLowC>
void combine_of(Index terms, const double* eh, const double* el, const double* ch, const double* cl, Index stride, Index count, double* hi,
                double* lo) {
  constexpr int kVectors = 4;
  Index j = 0;
  const auto low = [&](Index at) { return kLowC ? cl + at : nullptr; };
  for (; j + kVectors * L::kCount <= count; j += kVectors * L::kCount) {
    combine_columns<L, kVectors, kLowE, kLowC>(terms, eh, el, ch + j, low(j), stride, hi + j, lo + j);
  }
  for (; j < count; j += L::kCount) combine_columns<L, 1, kLowE, kLowC>(terms, eh, el, ch + j, low(j), stride, hi + j, lo + j);
}

template <class L>
void combine(Index terms, const double* eh, const double* el, const double* ch, const double* cl, Index stride, Index count, double* hi,
             double* lo) {
  if (el != nullptr) {
    cl != nullptr ? combine_of<L, true, true>(terms, eh, el, ch, cl, stride, count, hi, lo)
                  : combine_of<L, true, false>(terms, eh, el, ch, cl, stride, count, hi, lo);
  } else {
    cl != nullptr ? combine_of<L, false, true>(terms, eh, el, ch, cl, stride, count, hi, lo)
                  : combine_of<L, false, false>(terms, eh, el, ch, cl, stride, count, hi, lo);
  }
}

/// c += x; returns the error of that addition.
template <class L>
EQUINORM_ORACLE_INLINE typename L::V add_to(typename L::V x, typename L::V& c) {
  typename L::V sum, error;
  two_sum<L>(c, x, sum, error);
  c = sum;
  return error;
}

template <class L>
void project(Index terms, const double* eh, const double* el, const double* c, Index stride, Index count, double* hi, double* lo) {
  using V = typename L::V;
  for (Index j = 0; j < count; j += L::kCount) {
    V s = L::set(0.0), small = s, tiny = s;
    for (Index t = 0; t < terms; ++t) {
      const V e = L::set(eh[t]), x = L::load(c + t * stride + j), p = e * x;
      const V first = add_to<L>(add_to<L>(p, s), small);
      const V second = add_to<L>(L::fma(e, x, -p), small);
      const V third = add_to<L>(L::set(el[t]) * x, small);
      tiny = tiny + ((first + second) + third);
    }
    two_sum<L>(s, small, s, small);
    two_sum<L>(s, small + tiny, s, small);
    L::store(hi + j, s);
    L::store(lo + j, small);
  }
}

template <class L>
void accumulate(Index count, const double* add_hi, const double* add_lo, double* hi, double* lo) {
  const typename L::V zero = L::set(0.0);
  for (Index j = 0; j < count; j += L::kCount) {
    const Bounded<L> sum = add<L>({L::load(hi + j), L::load(lo + j), zero}, {L::load(add_hi + j), L::load(add_lo + j), zero});
    L::store(hi + j, sum.hi);
    L::store(lo + j, sum.lo);
  }
}

template <class L>
EQUINORM_ORACLE_INLINE Bounded<L> load_block(const BoundedBlock& block, Index t) {
  return load<L>(block.hi + t, block.lo + t, block.radius + t);
}

template <class L>
EQUINORM_ORACLE_INLINE void store_block(BoundedBlock& block, Index t, const Bounded<L>& x) {
  L::store(block.hi + t, x.hi);
  L::store(block.lo + t, x.lo);
  L::store(block.radius + t, x.radius);
}

template <class L>
void sum_rows(Index dim, const double* hi, const double* lo, BoundedBlock& sum) {
  for (Index t = 0; t < kBlock; t += L::kCount) {
    Bounded<L> total = exact<L>(L::set(0.0));
    for (Index j = 0; j < dim; ++j) total = add<L>(total, {L::load(hi + j * kBlock + t), L::load(lo + j * kBlock + t), L::set(0.0)});
    store_block<L>(sum, t, total);
  }
}

template <class L>
void statistic(const BoundedBlock& sum, const Enclosed& factor, const Enclosed& eps, BoundedBlock& alpha) {
  for (Index t = 0; t < kBlock; t += L::kCount) {
    const Bounded<L> s = add<L>(mul<L>(load_block<L>(sum, t), spread<L>(factor)), spread<L>(eps));
    store_block<L>(alpha, t, inverse_sqrt<L>(s));
  }
}

template <class L>
void turn(const Enclosed& w1, const Enclosed& w2, const double* cosine, const double* sine, const double* radius, double* xh, double* xl,
          double* yh, double* yl, double* squared) {
  using V = typename L::V;
  for (Index t = 0; t < kBlock; t += L::kCount) {
    const V r = L::load(radius + t);
    Bounded<L> x = mul<L>({L::load(xh + t), L::load(xl + t), r}, spread<L>(w1));
    Bounded<L> y = mul<L>({L::load(yh + t), L::load(yl + t), r}, spread<L>(w2));
    if (cosine != nullptr) {
      const V c = L::load(cosine + t), s = L::load(sine + t);
      const Bounded<L> turned = sub<L>(mul<L>(x, c), mul<L>(y, s));
      y = add<L>(mul<L>(x, s), mul<L>(y, c));
      x = turned;
    }
    L::store(xh + t, x.hi);
    L::store(xl + t, x.lo);
    L::store(yh + t, y.hi);
    L::store(yl + t, y.lo);
    L::store(squared + t, (L::load(squared + t) + x.radius * x.radius + y.radius * y.radius) * kRoundUp);
  }
}

template <class L>
void logits(const LogitCoefficients& k, const BoundedBlock& content, const BoundedBlock& rope, const BoundedBlock& alpha,
            const BoundedBlock& beta, BoundedBlock& logit) {
  for (Index t = 0; t < kBlock; t += L::kCount) {
    Bounded<L> sum = load_block<L>(content, t);
    if (k.joint) sum = add<L>(sum, load_block<L>(rope, t));
    sum = mul<L>(mul<L>(sum, load_block<L>(alpha, t)), spread<L>(k.content));
    if (!k.joint) sum = add<L>(sum, mul<L>(mul<L>(load_block<L>(rope, t), load_block<L>(beta, t)), spread<L>(k.rope)));
    store_block<L>(logit, t, sum);
  }
}

template <class L>
void exponentials(const BoundedBlock& logit, BoundedBlock& mantissa, double* exponent) {
  for (Index t = 0; t < kBlock; t += L::kCount) {
    const Exponential<L> e = exponential<L>(load_block<L>(logit, t));
    store_block<L>(mantissa, t, add<L>(e.fraction, exact<L>(L::set(1.0))));
    L::store(exponent + t, e.exponent);
  }
}

/// kRows x kVectors registers of sums.
template <class L, int kRows, int kVectors>
void tile(Index depth, const double* a, const double* b, double* out) {
  using V = typename L::V;
  V sum[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) sum[i][v] = L::set(0.0);
  }
  for (Index k = 0; k < depth; ++k) {
    V right[kVectors];
    for (int v = 0; v < kVectors; ++v) right[v] = L::load(b + (k * kVectors + v) * L::kCount);
    for (int i = 0; i < kRows; ++i) {
      const V left = L::set(a[k * kRows + i]);
      for (int v = 0; v < kVectors; ++v) sum[i][v] = L::fma(left, right[v], sum[i][v]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) L::store(out + i * kBlock + v * L::kCount, sum[i][v]);
  }
}

template <class L, int kRows, int kVectors>
constexpr Kernels make_kernels() {
  return {kRows,         kVectors * L::kCount, tile<L, kRows, kVectors>,
          largest<L>,    magnitudes<L>,        cut<L>,
          absorb<L>,     sum_rows<L>,          dots<L>,
          squares<L>,    combine<L>,           project<L>,
          accumulate<L>, statistic<L>,         turn<L>,
          logits<L>,     exponentials<L>};
}

}  // namespace
}  // namespace equinorm::oracle
