// The tile kernel of tensor_core_kernels.hpp: tensor_core.hpp's block in doubles, one column per lane. Included by the tensor_core_*.cpp
// only, once per instruction set, inside its namespace.
//
// Every step but rho is exact in a double: products have 22 bits at most, exponents stay within 2^-300 .. 2^260, cut addends are integers
// below 2^27 once divided by 2^(E-F), and so are their sums below 2^33. A zero's exponent needs no care in the products: it is below that
// of every c that is not 0, and a c of 0 brings it in.

using L = Lanes<double, kRegisterBytes / 8>;
using V = L::Float;
#if defined(__AVX512DQ__)
using Whole = L::Signed;  // one instruction each way; 32-bit integers take two
#else
typedef std::int32_t Whole __attribute__((vector_size(kRegisterBytes / 2)));
#endif

/// Addends of less than 2^27 that an int32 holds the sum of.
constexpr int kGroup = 8;

constexpr std::uint64_t kExponentBits = 0x7ff0000000000000;
constexpr std::uint64_t kSignBit = 0x8000000000000000;

EQUINORM_ALWAYS_INLINE V load(const double* x) {
  V v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}
EQUINORM_ALWAYS_INLINE void store(double* x, V v) { __builtin_memcpy(x, &v, sizeof v); }
EQUINORM_ALWAYS_INLINE V splat(double x) { return bits_as<V>(L::Unsigned{} + bits_as<std::uint64_t>(x)); }
EQUINORM_ALWAYS_INLINE V larger(V a, V b) { return a > b ? a : b; }
EQUINORM_ALWAYS_INLINE V cut(V x) { return __builtin_convertvector(__builtin_convertvector(x, Whole), V); }

EQUINORM_ALWAYS_INLINE V power_of(V c, const TensorTile& tile) {
  const V power = larger(bits_as<V>(bits_as<L::Unsigned>(c) & kExponentBits), splat(tile.smallest));
  return c == V{} ? splat(tile.zero_power) : power;
}

/// 2^F / 2^E, exactly.
EQUINORM_ALWAYS_INLINE V scale_of(V power, double scale) {
  const std::uint64_t one = bits_as<std::uint64_t>(1.0);
  return bits_as<V>((bits_as<std::uint64_t>(scale) + one) - bits_as<L::Unsigned>(power));
}

/// rho; overflow becomes infinity in fp16 and a number of 2^128 or more in fp32.
template <bool kFp16>
EQUINORM_ALWAYS_INLINE V round_out(V x) {
  if constexpr (kFp16) return round_by_integers<L, FormatKind::fp16, true>(x);
  constexpr std::uint64_t kKept = ~((std::uint64_t{1} << 29) - 1);
  const L::Unsigned bits = bits_as<L::Unsigned>(x);
  const V normal = bits_as<V>(bits & kKept);
  const V size = bits_as<V>(bits & ~kSignBit);
  const L::Signed small = size < splat(0x1p-126);
  const V quanta = small ? size * 0x1p149 : V{};
  const V subnormal = bits_as<V>(bits_as<L::Unsigned>(cut(quanta) * 0x1p-149) | (bits & kSignBit));
  return small ? subnormal : normal;
}

/// Terms begin <= k < end, at most kGroup of them, of one register: their cut sum.
template <int R, int C>
EQUINORM_ALWAYS_INLINE void add_group(const TensorTile& tile, std::int64_t begin, std::int64_t end, const V (&scale)[R][C],
                                      V (&sum)[R][C]) {
  Whole part[R][C] = {};
  const double* panel = tile.panel + begin * C * L::kCount;
  for (std::int64_t k = begin; k < end; ++k, panel += C * L::kCount) {
    for (int c = 0; c < C; ++c) {
      const V right = load(panel + c * L::kCount);
      for (int r = 0; r < R; ++r) part[r][c] += __builtin_convertvector(splat(tile.rows[r][k]) * right * scale[r][c], Whole);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) sum[r][c] += __builtin_convertvector(part[r][c], V);
  }
}

/// The largest power among the accumulators' and those of the terms begin <= k < end.
template <int R, int C>
EQUINORM_ALWAYS_INLINE void find_peaks(const TensorTile& tile, std::int64_t begin, std::int64_t end, const V (&acc)[R][C],
                                       V (&peak)[R][C]) {
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) peak[r][c] = power_of(acc[r][c], tile);
  }
  const double* powers = tile.panel_powers + begin * C * L::kCount;
  for (std::int64_t k = begin; k < end; ++k, powers += C * L::kCount) {
    for (int c = 0; c < C; ++c) {
      const V right = load(powers + c * L::kCount);
      for (int r = 0; r < R; ++r) peak[r][c] = larger(splat(tile.row_powers[r][k]) * right, peak[r][c]);
    }
  }
}

template <int R, int C, bool kFp16>
EQUINORM_ALWAYS_INLINE bool chain(const TensorTile& tile) {
  V acc[R][C], peak[R][C], scale[R][C], sum[R][C];
  L::Signed refused{};
  const V limit = splat(kFp16 ? 0x1p16 : 0x1p128);
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      acc[r][c] = load(tile.out + (r * C + c) * L::kCount);
      refused |= ~(bits_as<V>(bits_as<L::Unsigned>(acc[r][c]) & ~kSignBit) < limit);
      acc[r][c] = refused ? V{} : acc[r][c];
    }
  }
  for (std::int64_t begin = 0; begin < tile.depth; begin += tile.block) {
    const std::int64_t end = tile.depth - begin > tile.block ? begin + tile.block : tile.depth;
    find_peaks<R, C>(tile, begin, end, acc, peak);
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) {
        refused |= bits_as<L::Signed>(bits_as<L::Unsigned>(acc[r][c]) == kSignBit);
        scale[r][c] = scale_of(peak[r][c], tile.scale);
        sum[r][c] = cut(acc[r][c] * scale[r][c]);
      }
    }
    for (std::int64_t k = begin; k < end; k += kGroup) add_group<R, C>(tile, k, k + kGroup < end ? k + kGroup : end, scale, sum);
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) {
        const V d = round_out<kFp16>(sum[r][c] * scale_of(scale[r][c], 1.0));
        const L::Signed over = ~(bits_as<V>(bits_as<L::Unsigned>(d) & ~kSignBit) < limit);
        refused |= over;
        acc[r][c] = over ? V{} : d;
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store(tile.out + (r * C + c) * L::kCount, acc[r][c]);
  }
  for (int i = 0; i < L::kCount; ++i) {
    if (refused[i] != 0) return false;
  }
  return true;
}

bool run_tile(const TensorTile& tile) {
  if (tile.rounding == TensorRounding::fp16) return chain<kTileRows, kTileRegisters, true>(tile);
  return chain<kTileRows, kTileRegisters, false>(tile);
}

TensorKernels tensor_kernels() { return {kTileRows, kTileRegisters * L::kCount, run_tile}; }

unsigned formats_holding(unsigned mask, const float* x, std::int64_t count) {
  using F = Lanes<float, kRegisterBytes / 4>;
  F::Signed fp16 = ~F::Signed{};
  F::Unsigned used{};
  float padded[F::kCount] = {};
  for (std::int64_t i = 0; i < count; i += F::kCount) {
    const float* source = x + i;
    if (count - i < F::kCount) {
      __builtin_memcpy(padded, source, static_cast<std::size_t>(count - i) * sizeof padded[0]);
      source = padded;
    }
    F::Float v;
    __builtin_memcpy(&v, source, sizeof v);
    const F::Signed number = v == v;  // every format has a NaN
    fp16 &= (v == round_by_integers<F, FormatKind::fp16, true>(v)) | ~number;
    used |= bits_as<F::Unsigned>(v) & bits_as<F::Unsigned>(number);
  }
  for (int i = 0; i < F::kCount; ++i) {
    if (fp16[i] == 0) mask &= ~1u;
    if ((used[i] & 0xffff) != 0) mask &= ~2u;
    if ((used[i] & 0x1fff) != 0) mask &= ~4u;
  }
  return mask;
}
