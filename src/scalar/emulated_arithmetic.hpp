// Vector multiply, add and fma that round into a format. Included by the emulated_*.cpp only, once per instruction set, inside its
// namespace.
//
// The rounding of an exact sum or product to fewer bits goes through a value rounded to odd (lanes.hpp) wherever rounding the carrier's
// nearest value again could differ from one rounding. AVX-512 gets it from the two directed roundings: they are equal if the result is
// exact, and otherwise neighbours, one of which is odd.

template <class T>
using Native = Lanes<T, kRegisterBytes / static_cast<int>(sizeof(T))>;

template <class L>
EQUINORM_ALWAYS_INLINE typename L::Float load(const typename L::Element* x) {
  typename L::Float v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}

template <class L>
EQUINORM_ALWAYS_INLINE void store(typename L::Element* x, typename L::Float v) {
  __builtin_memcpy(x, &v, sizeof v);
}

/// x in every lane, also when x is -0.
template <class L>
EQUINORM_ALWAYS_INLINE typename L::Float splat(typename L::Element x) {
  using Bits = typename CarrierIntegers<typename L::Element>::Unsigned;
  return bits_as<typename L::Float>(typename L::Unsigned{} + bits_as<Bits>(x));
}

#if defined(__AVX512F__)
/// For the forms of intrinsics that take a mask: g++ 12 warns of an uninitialised variable in the others (its bug 105593).
constexpr __mmask16 kAll16 = 0xffff;
#endif

template <class L, FormatKind kFormat, bool kNanSafe>
EQUINORM_ALWAYS_INLINE typename L::Float round_lanes(typename L::Float x) {
  using T = typename L::Element;
  if constexpr (Layout<T, kFormat>::kNative) {
    return x;
  } else if constexpr (kFormat == FormatKind::fp32) {
    return __builtin_convertvector(__builtin_convertvector(x, typename Lanes<float, L::kCount>::Float), typename L::Float);
#if defined(__AVX512F__)
  } else if constexpr (kFormat == FormatKind::fp16 && sizeof(T) == 4) {
    return (typename L::Float)_mm512_maskz_cvtph_ps(kAll16, _mm512_maskz_cvtps_ph(kAll16, (__m512)x, _MM_FROUND_TO_NEAREST_INT));
  } else if constexpr (kFormat == FormatKind::bf16 && sizeof(T) == 4 && !kNanSafe) {
    // round_by_integers with one instruction less: the tie's extra 1 through a mask.
    const __m512i bits = _mm512_castps_si512((__m512)x);
    const __mmask16 last_kept_is_odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    const __m512i down = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
    const __m512i rounded = _mm512_mask_add_epi32(down, last_kept_is_odd, bits, _mm512_set1_epi32(0x8000));
    return (typename L::Float)_mm512_castsi512_ps(_mm512_and_epi32(rounded, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
#elif defined(__F16C__)
  } else if constexpr (kFormat == FormatKind::fp16 && sizeof(T) == 4) {
    return (typename L::Float)_mm256_cvtph_ps(_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
#endif
  } else {
    return round_by_integers<L, kFormat, kNanSafe>(x);
  }
}

/// The carrier's own fma.
template <class T>
EQUINORM_ALWAYS_INLINE typename Native<T>::Float carrier_fma(typename Native<T>::Float a, typename Native<T>::Float b,
                                                             typename Native<T>::Float c) {
  using V = typename Native<T>::Float;
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  else
    return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
  if constexpr (sizeof(T) == 4)
    return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  else
    return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  static_assert(sizeof(T) == 8, "a float fma goes through doubles");
  V r{};
  for (int i = 0; i < Native<T>::kCount; ++i) r[i] = __builtin_fma(a[i], b[i], c[i]);
  return r;
#endif
}

#if defined(__AVX512F__)

EQUINORM_ALWAYS_INLINE Native<float>::Float odd_of(__m512 low, __m512 high) {
  const __mmask16 low_is_odd = _mm512_test_epi32_mask(_mm512_castps_si512(low), _mm512_set1_epi32(1));
  return (Native<float>::Float)_mm512_mask_blend_ps(low_is_odd, high, low);
}
EQUINORM_ALWAYS_INLINE Native<double>::Float odd_of(__m512d low, __m512d high) {
  const __mmask8 low_is_odd = _mm512_test_epi64_mask(_mm512_castpd_si512(low), _mm512_set1_epi64(1));
  return (Native<double>::Float)_mm512_mask_blend_pd(low_is_odd, high, low);
}

#define EQUINORM_DIRECTED(NAME, SUFFIX, ...)                                                     \
  odd_of(_mm512_##NAME##_round_##SUFFIX(__VA_ARGS__, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC), \
         _mm512_##NAME##_round_##SUFFIX(__VA_ARGS__, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC))

/// Exact a + b, a b, a b + c for any operands, rounded once to kFormat.
template <class T, FormatKind kFormat>
struct ExactOperations {
  using L = Native<T>;
  using V = typename L::Float;
  static constexpr auto kAll = static_cast<__mmask16>(sizeof(T) == 4 ? 0xffff : 0xff);

  EQUINORM_ALWAYS_INLINE static V add(V a, V b) {
    if constexpr (sizeof(T) == 4)
      return round_lanes<L, kFormat, true>(EQUINORM_DIRECTED(maskz_add, ps, kAll, (__m512)a, (__m512)b));
    else
      return round_lanes<L, kFormat, true>(EQUINORM_DIRECTED(maskz_add, pd, static_cast<__mmask8>(kAll), (__m512d)a, (__m512d)b));
  }
  EQUINORM_ALWAYS_INLINE static V multiply(V a, V b) {
    if constexpr (sizeof(T) == 4)
      return round_lanes<L, kFormat, true>(EQUINORM_DIRECTED(maskz_mul, ps, kAll, (__m512)a, (__m512)b));
    else
      return round_lanes<L, kFormat, true>(EQUINORM_DIRECTED(maskz_mul, pd, static_cast<__mmask8>(kAll), (__m512d)a, (__m512d)b));
  }
  EQUINORM_ALWAYS_INLINE static V fma(V a, V b, V c) { return round_lanes<L, kFormat, true>(odd_fma(a, b, c)); }
  EQUINORM_ALWAYS_INLINE static V odd_fma(V a, V b, V c) {
    if constexpr (sizeof(T) == 4)
      return EQUINORM_DIRECTED(fmadd, ps, (__m512)a, (__m512)b, (__m512)c);
    else
      return EQUINORM_DIRECTED(fmadd, pd, (__m512d)a, (__m512d)b, (__m512d)c);
  }
};
#undef EQUINORM_DIRECTED

#else

template <class T, FormatKind kFormat>
struct ExactOperations;

/// Through doubles: there a product of floats is exact, and a sum has its error term.
template <FormatKind kFormat>
struct ExactOperations<float, kFormat> {
  using L = Native<float>;
  using V = L::Float;
  using Wide = Native<double>;
  using Half = Lanes<float, Wide::kCount>;
  struct Halves {
    Half::Float low, high;
  };
  struct Pair {
    Wide::Float low, high;
  };

  EQUINORM_ALWAYS_INLINE static Pair widen(V x) {
    const Halves halves = bits_as<Halves>(x);
    return {__builtin_convertvector(halves.low, Wide::Float), __builtin_convertvector(halves.high, Wide::Float)};
  }
  EQUINORM_ALWAYS_INLINE static V narrow(Wide::Float low, Wide::Float high) {
    if constexpr (kFormat != FormatKind::fp32) {
      low = round_lanes<Wide, kFormat, true>(low);
      high = round_lanes<Wide, kFormat, true>(high);
    }
    return bits_as<V>(Halves{__builtin_convertvector(low, Half::Float), __builtin_convertvector(high, Half::Float)});
  }

  EQUINORM_ALWAYS_INLINE static V add(V a, V b) {
    const Pair x = widen(a), y = widen(b);
    return narrow(add_to_odd<Wide>(x.low, y.low), add_to_odd<Wide>(x.high, y.high));
  }
  EQUINORM_ALWAYS_INLINE static V multiply(V a, V b) {
    const Pair x = widen(a), y = widen(b);
    return narrow(x.low * y.low, x.high * y.high);
  }
  EQUINORM_ALWAYS_INLINE static V fma(V a, V b, V c) {
    const Pair x = widen(a), y = widen(b), z = widen(c);
    return narrow(add_to_odd<Wide>(x.low * y.low, z.low), add_to_odd<Wide>(x.high * y.high, z.high));
  }
};

/// Doubles have no wider carrier here: number by number.
template <FormatKind kFormat>
struct ExactOperations<double, kFormat> {
  using L = Native<double>;
  using V = L::Float;

  EQUINORM_ALWAYS_INLINE static V add(V a, V b) { return round_lanes<L, kFormat, true>(add_to_odd<L>(a, b)); }
  EQUINORM_ALWAYS_INLINE static V multiply(V a, V b) {
    V r{};
    for (int i = 0; i < L::kCount; ++i) r[i] = odd_multiply(a[i], b[i]);
    return round_lanes<L, kFormat, true>(r);
  }
  EQUINORM_ALWAYS_INLINE static V fma(V a, V b, V c) {
    V r{};
    for (int i = 0; i < L::kCount; ++i) r[i] = odd_fma(a[i], b[i], c[i]);
    return round_lanes<L, kFormat, true>(r);
  }
};

#endif

/// Unless kExact, operands are NaN-free values of the format and their products neither overflow nor lose bits in the carrier. A product of
/// two such values is then exact in a float (22 bits at most), and the double rounding of a sum is innocuous (24 >= 2 11 + 2).
template <class T, FormatKind kFormat, bool kExact>
struct Operations {
  using L = Native<T>;
  using V = typename L::Float;
  static constexpr bool kNative = Layout<T, kFormat>::kNative;

  EQUINORM_ALWAYS_INLINE static V add(V a, V b) {
    if constexpr (kNative)
      return a + b;
    else if constexpr (kExact)
      return ExactOperations<T, kFormat>::add(a, b);
    else
      return round_lanes<L, kFormat, false>(a + b);
  }
  EQUINORM_ALWAYS_INLINE static V multiply(V a, V b) {
    if constexpr (kNative)
      return a * b;
    else if constexpr (kExact)
      return ExactOperations<T, kFormat>::multiply(a, b);
    else
      return round_lanes<L, kFormat, false>(a * b);
  }
  EQUINORM_ALWAYS_INLINE static V fma(V a, V b, V c) {
#if defined(__FMA__)
    if constexpr (kNative) return carrier_fma<T>(a, b, c);
#else
    if constexpr (kNative && sizeof(T) == 8)
      return carrier_fma<T>(a, b, c);
    else if constexpr (kNative)
      return ExactOperations<T, kFormat>::fma(a, b, c);
#endif
    else if constexpr (kExact)
      return ExactOperations<T, kFormat>::fma(a, b, c);
#if defined(__AVX512F__)
    else
      return round_lanes<L, kFormat, false>(ExactOperations<T, kFormat>::odd_fma(a, b, c));
#else
    else
      return round_lanes<L, kFormat, false>(add_to_odd<L>(a * b, c));
#endif
  }
};

/// Operations with the flush of subnormals and the choice of one rounding or two per step.
template <class CarrierType, FormatKind kFormat, bool kFused, bool kFtz, bool kExact>
struct Arithmetic {
  using T = CarrierType;
  using L = Native<T>;
  using V = typename L::Float;
  using Ops = Operations<T, kFormat, kExact>;

  EQUINORM_ALWAYS_INLINE static V finish(V x) {
    if constexpr (kFtz)
      return flush_subnormal<L, kFormat>(x);
    else
      return x;
  }
  EQUINORM_ALWAYS_INLINE static V multiply(V a, V b) { return finish(Ops::multiply(a, b)); }
  EQUINORM_ALWAYS_INLINE static V add(V a, V b) { return finish(Ops::add(a, b)); }
  EQUINORM_ALWAYS_INLINE static V step(V sum, V a, V b) {
    if constexpr (kFused)
      return finish(Ops::fma(a, b, sum));
    else
      return add(sum, multiply(a, b));
  }
};
