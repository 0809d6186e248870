// Emulated sums through MPFR, and products of random operands, for emulated_test.cpp.
#pragma once

#include <cstring>
#include <vector>

#include "scalar/emulated.hpp"
#include "scalar/rounding_oracle.hpp"

namespace equinorm::scalar::oracle {

template <class T>
std::vector<Format> formats() {
  if (sizeof(T) == 4) return {kFp16, kBf16, kFp32};
  return {kFp16, kBf16, kFp32, kFp64};
}

/// One element of a product, every operation through MPFR, written from the words of sum_order.hpp and emulated.hpp.
struct SlowSum {
  const Contraction& how;
  std::vector<double> x, y;

  double join(double a, double b) const { return add(how.accumulate, a, b, how.ftz); }
  double first(std::size_t k) const { return multiply(how.accumulate, x[k], y[k], how.ftz); }
  double step(double s, std::size_t k) const { return how.fused ? fma(how.accumulate, x[k], y[k], s, how.ftz) : join(s, first(k)); }
  double pairwise(std::size_t begin, std::size_t end) const {
    if (end - begin == 1) return first(begin);
    std::size_t split = 1;
    while (split * 2 < end - begin) split *= 2;
    return join(pairwise(begin, begin + split), pairwise(begin + split, end));
  }
  double total(bool add, double out) const {
    const std::size_t n = x.size();
    double t = 0;
    switch (how.order.kind) {
      case SumOrder::Kind::pairwise:
        t = pairwise(0, n);
        break;
      case SumOrder::Kind::blocked: {
        const auto block = static_cast<std::size_t>(how.order.block);
        for (std::size_t begin = 0; begin < n; begin += block) {
          double s = first(begin);
          for (std::size_t k = begin + 1; k < std::min(n, begin + block); ++k) s = step(s, k);
          t = begin == 0 ? s : join(t, s);
        }
        break;
      }
      default:
        t = add ? step(out, 0) : first(0);
        for (std::size_t k = 1; k < n; ++k) t = step(t, k);
        return t;
    }
    return add ? join(out, t) : t;
  }
};

enum class Operands { gentle, corners, specials, wide };

template <class T>
struct Problem {
  std::int64_t m, n, depth, lda, ldb, ldo;
  std::vector<T> a, b, out;

  Problem(std::int64_t rows, std::int64_t columns, std::int64_t terms)
      : m(rows), n(columns), depth(terms), lda(terms + 1), ldb(columns + 3), ldo(columns + 2) {
    a.resize(static_cast<std::size_t>(m * lda));
    b.resize(static_cast<std::size_t>(depth * ldb));
    out.resize(static_cast<std::size_t>(m * ldo));
  }
  void fill(Format format, Operands kind, Corners& corners) {
    for (auto* all : {&a, &b, &out}) {
      for (T& x : *all) x = number(format, kind, corners);
    }
  }
  static T number(Format format, Operands kind, Corners& corners) {
    switch (kind) {
      case Operands::gentle:
        return static_cast<T>(corners.sign() * std::ldexp(corners.significand(format), static_cast<int>(corners.below(5)) - 3));
      case Operands::corners:
        return static_cast<T>(corners.value(format, false));
      case Operands::specials:
        return static_cast<T>(corners.value(format, corners.below(8) == 0));
      case Operands::wide:
        break;
    }
    const Format wide = sizeof(T) == 4 ? kFp32 : kFp64;
    const int range = format == kFp16 ? 12 : 70;
    return static_cast<T>(corners.sign() * std::ldexp(corners.significand(wide), static_cast<int>(corners.below(2 * range)) - range));
  }
  SlowSum slow(const Contraction& how, std::int64_t i, std::int64_t j) const {
    SlowSum s{how, {}, {}};
    for (std::int64_t k = 0; k < depth; ++k) {
      s.x.push_back(a[static_cast<std::size_t>(i * lda + k)]);
      s.y.push_back(b[static_cast<std::size_t>(k * ldb + j)]);
    }
    return s;
  }
  /// What out must be, the places between n and ldo included.
  std::vector<T> expected(const Contraction& how, bool add) const {
    std::vector<T> all = out;
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        T& x = all[static_cast<std::size_t>(i * ldo + j)];
        x = static_cast<T>(slow(how, i, j).total(add, x));
      }
    }
    return all;
  }
  std::vector<T> computed(const Contraction& how, bool add) const {
    std::vector<T> all = out;
    matmul(how, m, n, depth, a.data(), lda, b.data(), ldb, all.data(), ldo, add);
    return all;
  }
  std::vector<T> computed_transposed(const Contraction& how, bool add) const {
    std::vector<T> flipped(static_cast<std::size_t>(n * depth));
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t j = 0; j < n; ++j) flipped[static_cast<std::size_t>(j * depth + k)] = b[static_cast<std::size_t>(k * ldb + j)];
    }
    std::vector<T> all = out;
    matmul_transposed(how, m, n, depth, a.data(), lda, flipped.data(), depth, all.data(), ldo, add);
    return all;
  }
};

template <class T>
std::size_t differences(const std::vector<T>& x, const std::vector<T>& y) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < x.size(); ++i) count += !same(x[i], y[i]);
  return count;
}

template <class T>
bool identical(const std::vector<T>& x, const std::vector<T>& y) {
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
}

}  // namespace equinorm::scalar::oracle
