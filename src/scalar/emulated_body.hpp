// The tile kernels of emulated_kernels.hpp. Included by the emulated_*.cpp only, once per instruction set, inside its namespace.

/// acc[r][c] of a tile of R rows times C registers: the terms begin <= k < end, from their first product or onto what acc holds.
template <class A, int R, int C, bool kFromFirst>
EQUINORM_ALWAYS_INLINE void chain(const TileJob<typename A::T>& job, std::int64_t begin, std::int64_t end, typename A::V (&acc)[R][C]) {
  using L = typename A::L;
  using V = typename A::V;
  const typename A::T* rows[R];
  for (int r = 0; r < R; ++r) rows[r] = job.rows[r];
  const std::int64_t step = job.row_step;
  const std::int64_t panel_step = job.panel_step;
  const typename A::T* panel = job.panel + begin * panel_step;
  std::int64_t k = begin;
  if constexpr (kFromFirst) {
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) acc[r][c] = A::multiply(splat<L>(rows[r][k * step]), load<L>(panel + c * L::kCount));
    }
    panel += panel_step;
    ++k;
  }
  for (; k < end; ++k, panel += panel_step) {
    V right[C];
    for (int c = 0; c < C; ++c) right[c] = load<L>(panel + c * L::kCount);
    for (int r = 0; r < R; ++r) {
      const V left = splat<L>(rows[r][k * step]);
      for (int c = 0; c < C; ++c) acc[r][c] = A::step(acc[r][c], left, right[c]);
    }
  }
}

template <class A, int R, int C>
EQUINORM_ALWAYS_INLINE void join(typename A::V (&total)[R][C], const typename A::V (&part)[R][C]) {
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) total[r][c] = A::add(total[r][c], part[r][c]);
  }
}

template <class A, int R, int C>
EQUINORM_ALWAYS_INLINE void load_out(const TileJob<typename A::T>& job, typename A::V (&acc)[R][C]) {
  using L = typename A::L;
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) acc[r][c] = load<L>(job.out + (r * C + c) * L::kCount);
  }
}

/// Every NaN leaves as the positive quiet NaN: which operand's payload survives differs between instruction sets.
template <class L>
EQUINORM_ALWAYS_INLINE void store_canonical(typename L::Element* out, typename L::Float x) {
  using B = Layout<typename L::Element, FormatKind::fp16>;
  const auto nan = bits_as<typename L::Float>(typename L::Unsigned{} + B::kQuietNan);
  store<L>(out, x == x ? x : nan);
}

template <class A, int R, int C>
EQUINORM_ALWAYS_INLINE void store_out(const TileJob<typename A::T>& job, const typename A::V (&acc)[R][C]) {
  using L = typename A::L;
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store_canonical<L>(job.out + (r * C + c) * L::kCount, acc[r][c]);
  }
}

template <class A, int R, int C>
EQUINORM_ALWAYS_INLINE void sequential_tile(const TileJob<typename A::T>& job) {
  typename A::V acc[R][C];
  if (job.add) {
    load_out<A, R, C>(job, acc);
    chain<A, R, C, false>(job, 0, job.depth, acc);
  } else {
    chain<A, R, C, true>(job, 0, job.depth, acc);
  }
  store_out<A, R, C>(job, acc);
}

template <class A, int R, int C>
EQUINORM_ALWAYS_INLINE void blocked_tile(const TileJob<typename A::T>& job) {
  typename A::V total[R][C] = {};
  typename A::V part[R][C];
  for (std::int64_t begin = 0; begin < job.depth;) {
    const std::int64_t end = job.depth - begin > job.block ? begin + job.block : job.depth;
    chain<A, R, C, true>(job, begin, end, part);
    if (begin == 0) {
      for (int r = 0; r < R; ++r) {
        for (int c = 0; c < C; ++c) total[r][c] = part[r][c];
      }
    } else {
      join<A, R, C>(total, part);
    }
    begin = end;
  }
  if (job.add) {
    load_out<A, R, C>(job, part);
    join<A, R, C>(total, part);
  }
  store_out<A, R, C>(job, total);
}

/// Pairwise sum of one register of columns. The stack holds complete subtrees, largest first, like the digits of a binary counter; the
/// incomplete right flank is folded at the end, from the smallest. That is the split at the largest power of two below n, at every level.
template <class A>
struct PairwiseStack {
  typename A::V value[64];
  int level[64];
  int size = 0;

  EQUINORM_ALWAYS_INLINE void push(typename A::V x, int x_level) {
    while (size > 0 && level[size - 1] == x_level) {
      x = A::add(value[--size], x);
      ++x_level;
    }
    value[size] = x;
    level[size++] = x_level;
  }
  EQUINORM_ALWAYS_INLINE typename A::V fold() {
    typename A::V x = value[--size];
    while (size > 0) x = A::add(value[--size], x);
    return x;
  }
};

template <class A>
EQUINORM_ALWAYS_INLINE typename A::V pairwise_sum(const typename A::T* row, std::int64_t row_step, const typename A::T* panel,
                                                  std::int64_t panel_step, std::int64_t depth) {
  using L = typename A::L;
  using V = typename A::V;
  constexpr int kGroupLevel = 3;
  constexpr int kGroup = 1 << kGroupLevel;
  PairwiseStack<A> stack;
  std::int64_t k = 0;
  for (; k + kGroup <= depth; k += kGroup) {
    V leaf[kGroup];
    for (int i = 0; i < kGroup; ++i) leaf[i] = A::multiply(splat<L>(row[(k + i) * row_step]), load<L>(panel + (k + i) * panel_step));
    for (int half = kGroup / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) leaf[i] = A::add(leaf[2 * i], leaf[2 * i + 1]);
    }
    stack.push(leaf[0], kGroupLevel);
  }
  for (; k < depth; ++k) stack.push(A::multiply(splat<L>(row[k * row_step]), load<L>(panel + k * panel_step)), 0);
  return stack.fold();
}

template <class A, int R, int C>
EQUINORM_ALWAYS_INLINE void pairwise_tile(const TileJob<typename A::T>& job) {
  using L = typename A::L;
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      typename A::T* out = job.out + (r * C + c) * L::kCount;
      typename A::V total = pairwise_sum<A>(job.rows[r], job.row_step, job.panel + c * L::kCount, job.panel_step, job.depth);
      if (job.add) total = A::add(load<L>(out), total);
      store_canonical<L>(out, total);
    }
  }
}

template <class A, int R, int C>
void tile(const TileJob<typename A::T>& job) {
  switch (job.order) {
    case TileOrder::sequential:
      return sequential_tile<A, R, C>(job);
    case TileOrder::pairwise:
      return pairwise_tile<A, R, C>(job);
    case TileOrder::blocked:
      return blocked_tile<A, R, C>(job);
  }
}

template <class A, FormatKind kFormat>
void round_values(typename A::T* x, std::int64_t count) {
  using L = typename A::L;
  std::int64_t i = 0;
  for (; i + L::kCount <= count; i += L::kCount) store<L>(x + i, A::finish(round_lanes<L, kFormat, true>(load<L>(x + i))));
  if (i == count) return;
  typename A::T rest[L::kCount] = {};
  __builtin_memcpy(rest, x + i, static_cast<std::size_t>(count - i) * sizeof rest[0]);
  store<L>(rest, A::finish(round_lanes<L, kFormat, true>(load<L>(rest))));
  __builtin_memcpy(x + i, rest, static_cast<std::size_t>(count - i) * sizeof rest[0]);
}

template <FormatKind kFormat>
void scan_values(const float* x, std::int64_t count, OperandRange& range) {
  using L = Native<float>;
  using B = Layout<float, kFormat>;
  using Signed = L::Signed;
  const Signed infinity = bits_as<Signed>(L::Unsigned{} + B::kInfinity);
  Signed smallest = infinity, largest{}, equal = ~Signed{};
  float padded[L::kCount] = {};
  for (std::int64_t i = 0; i < count; i += L::kCount) {
    const float* source = x + i;
    if (count - i < L::kCount) {
      __builtin_memcpy(padded, source, static_cast<std::size_t>(count - i) * sizeof padded[0]);
      source = padded;
    }
    const L::Float v = load<L>(source);
    const Signed size = bits_as<Signed>(bits_as<L::Unsigned>(v) & B::kAbsMask);
    const Signed nonzero = size == 0 ? infinity : size;
    const Signed finite = size < infinity ? size : Signed{};
    equal &= v == round_lanes<L, kFormat, true>(v);  // a NaN differs from itself
    smallest = nonzero < smallest ? nonzero : smallest;
    largest = finite > largest ? finite : largest;
  }
  for (int i = 0; i < L::kCount; ++i) {
    if (equal[i] == 0) range.representable = false;
    const float low = bits_as<float>(smallest[i]), high = bits_as<float>(largest[i]);
    if (low < range.smallest) range.smallest = low;
    if (high > range.largest) range.largest = high;
  }
}

constexpr int kStripRegisters = 4;

template <class T, FormatKind kFormat, bool kFused, bool kFtz, bool kExact>
EmulatedKernels<T> kernels_of() {
  using A = Arithmetic<T, kFormat, kFused, kFtz, kExact>;
  return {kBlockRows,
          kBlockRegisters * A::L::kCount,
          kStripRegisters * A::L::kCount,
          tile<A, kBlockRows, kBlockRegisters>,
          tile<A, 1, kStripRegisters>,
          round_values<A, kFormat>};
}

/// Formats that are the carrier need no exact variant; narrower formats in doubles always take it.
template <class T, FormatKind kFormat, bool kFused, bool kFtz>
EmulatedKernels<T> choose_exact(bool exact) {
  if constexpr (Layout<T, kFormat>::kNative) {
    return kernels_of<T, kFormat, kFused, kFtz, false>();
  } else if constexpr (sizeof(T) == 8) {
    return kernels_of<T, kFormat, kFused, kFtz, true>();
  } else {
    return exact ? kernels_of<T, kFormat, kFused, kFtz, true>() : kernels_of<T, kFormat, kFused, kFtz, false>();
  }
}

template <class T, FormatKind kFormat>
EmulatedKernels<T> choose(ArithmeticChoice choice) {
  if (choice.fused)
    return choice.ftz ? choose_exact<T, kFormat, true, true>(choice.exact) : choose_exact<T, kFormat, true, false>(choice.exact);
  return choice.ftz ? choose_exact<T, kFormat, false, true>(choice.exact) : choose_exact<T, kFormat, false, false>(choice.exact);
}

EmulatedKernels<float> float_kernels(FormatKind format, ArithmeticChoice choice) {
  if (format == FormatKind::fp16) return choose<float, FormatKind::fp16>(choice);
  if (format == FormatKind::bf16) return choose<float, FormatKind::bf16>(choice);
  return choose<float, FormatKind::fp32>(choice);
}

EmulatedKernels<double> double_kernels(FormatKind format, ArithmeticChoice choice) {
  if (format == FormatKind::fp16) return choose<double, FormatKind::fp16>(choice);
  if (format == FormatKind::bf16) return choose<double, FormatKind::bf16>(choice);
  if (format == FormatKind::fp32) return choose<double, FormatKind::fp32>(choice);
  return choose<double, FormatKind::fp64>(choice);
}

void scan_operands(FormatKind format, const float* x, std::int64_t count, OperandRange& range) {
  if (format == FormatKind::fp16) return scan_values<FormatKind::fp16>(x, count, range);
  return scan_values<FormatKind::bf16>(x, count, range);
}
