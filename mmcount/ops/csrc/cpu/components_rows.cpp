// Thresholding and run extraction, one row at a time: 64 pixels become one word, the edges of the word become runs.
//
// A row is read once. The word is w, its edges are w ^ (w << 1 | last bit of the previous word), and the positions of
// the edges alternate between the start of a run and the pixel after its end.
#include "components_rows.h"

#include <bit>
#include <type_traits>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define MMCOUNT_X86 1
#include <immintrin.h>
#define MMCOUNT_AVX2 __attribute__((target("avx2,bmi,f16c")))
#define MMCOUNT_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,popcnt,f16c")))
#else
#define MMCOUNT_X86 0
#endif

namespace mmcount {
namespace {

// ---- element types ----------------------------------------------------------------------------------------------

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

float widen(BFloat16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}

float widen(Half x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  const uint32_t exponent = (x.bits >> 10) & 0x1fu;
  const uint32_t mantissa = x.bits & 0x3ffu;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24, exact in float
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0xffu : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

float widen(float x) {
  return x;
}
double widen(double x) {
  return x;
}
uint8_t widen(uint8_t x) {
  return x;
}

template <typename T>
using Compare = decltype(widen(T{}));

// ---- portable kernels -------------------------------------------------------------------------------------------

template <typename T, bool kMap>
uint64_t pack_tail(const T* pixels, const T* map, Compare<T> scalar, int64_t count) {
  uint64_t word = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Compare<T> bound = kMap ? widen(map[i]) : scalar;
    word |= static_cast<uint64_t>(widen(pixels[i]) >= bound) << i;
  }
  return word;
}

int32_t* append_edges(uint64_t edges, int32_t base, int32_t* out) {
  while (edges != 0) {
    *out++ = base + std::countr_zero(edges);
    edges &= edges - 1;
  }
  return out;
}

template <typename T, bool kMap>
int64_t find_runs_portable(const void* row, const RowThreshold& threshold, int64_t width, int32_t* edges) {
  const T* pixels = static_cast<const T*>(row);
  const T* map = static_cast<const T*>(threshold.row);
  const auto scalar = static_cast<Compare<T>>(threshold.scalar);
  int32_t* out = edges;
  uint64_t carry = 0;
  for (int64_t x = 0; x < width; x += 64) {
    const int64_t count = width - x < 64 ? width - x : 64;
    const uint64_t word = pack_tail<T, kMap>(pixels + x, kMap ? map + x : nullptr, scalar, count);
    out = append_edges(word ^ (word << 1 | carry), static_cast<int32_t>(x), out);
    carry = word >> 63;
  }
  if (carry) *out++ = static_cast<int32_t>(width);
  return (out - edges) / 2;
}

template <typename T>
double sum_run_portable(const void* row, int64_t first, int64_t last) {
  const T* pixels = static_cast<const T*>(row);
  double total = 0;
  for (int64_t i = first; i < last; ++i) total += static_cast<double>(widen(pixels[i]));
  return total;
}

#if MMCOUNT_X86

// ---- AVX2 -------------------------------------------------------------------------------------------------------

MMCOUNT_AVX2 inline __m256 load8(const float* p) {
  return _mm256_loadu_ps(p);
}
MMCOUNT_AVX2 inline __m256 load8(const Half* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
MMCOUNT_AVX2 inline __m256 load8(const BFloat16* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

template <typename T, bool kMap>
struct Avx2Packer {
  __m256 scalar;
  MMCOUNT_AVX2 explicit Avx2Packer(Compare<T> value) : scalar(_mm256_set1_ps(value)) {}
  MMCOUNT_AVX2 uint64_t operator()(const T* pixels, const T* map) const {
    uint64_t word = 0;
    for (int i = 0; i < 64; i += 8) {
      const __m256 bound = kMap ? load8(map + i) : scalar;
      const int mask = _mm256_movemask_ps(_mm256_cmp_ps(load8(pixels + i), bound, _CMP_GE_OQ));
      word |= static_cast<uint64_t>(static_cast<unsigned>(mask)) << i;
    }
    return word;
  }
};

template <bool kMap>
struct Avx2Packer<double, kMap> {
  __m256d scalar;
  MMCOUNT_AVX2 explicit Avx2Packer(double value) : scalar(_mm256_set1_pd(value)) {}
  MMCOUNT_AVX2 uint64_t operator()(const double* pixels, const double* map) const {
    uint64_t word = 0;
    for (int i = 0; i < 64; i += 4) {
      const __m256d bound = kMap ? _mm256_loadu_pd(map + i) : scalar;
      const int mask = _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(pixels + i), bound, _CMP_GE_OQ));
      word |= static_cast<uint64_t>(static_cast<unsigned>(mask)) << i;
    }
    return word;
  }
};

template <bool kMap>
struct Avx2Packer<uint8_t, kMap> {
  __m256i scalar;
  MMCOUNT_AVX2 explicit Avx2Packer(uint8_t value) : scalar(_mm256_set1_epi8(static_cast<char>(value))) {}
  MMCOUNT_AVX2 uint64_t operator()(const uint8_t* pixels, const uint8_t* map) const {
    uint64_t word = 0;
    for (int i = 0; i < 64; i += 32) {
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pixels + i));
      const __m256i bound = kMap ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(map + i)) : scalar;
      const int mask = _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(x, bound), x));
      word |= static_cast<uint64_t>(static_cast<unsigned>(mask)) << i;
    }
    return word;
  }
};

template <typename T, bool kMap>
MMCOUNT_AVX2 int64_t find_runs_avx2(const void* row, const RowThreshold& threshold, int64_t width, int32_t* edges) {
  const T* pixels = static_cast<const T*>(row);
  const T* map = static_cast<const T*>(threshold.row);
  const auto scalar = static_cast<Compare<T>>(threshold.scalar);
  const Avx2Packer<T, kMap> pack(scalar);
  int32_t* out = edges;
  uint64_t carry = 0;
  for (int64_t x = 0; x < width; x += 64) {
    const T* bounds = kMap ? map + x : nullptr;
    const uint64_t word = width - x >= 64 ? pack(pixels + x, bounds)
                                          : pack_tail<T, kMap>(pixels + x, bounds, scalar, width - x);
    uint64_t changes = word ^ (word << 1 | carry);
    carry = word >> 63;
    while (changes != 0) {
      *out++ = static_cast<int32_t>(x) + static_cast<int32_t>(_tzcnt_u64(changes));
      changes &= changes - 1;
    }
  }
  if (carry) *out++ = static_cast<int32_t>(width);
  return (out - edges) / 2;
}

// ---- AVX-512 ----------------------------------------------------------------------------------------------------

MMCOUNT_AVX512 inline __m512 load16(const float* p) {
  return _mm512_loadu_ps(p);
}
MMCOUNT_AVX512 inline __m512 load16(const Half* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
MMCOUNT_AVX512 inline __m512 load16(const BFloat16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

template <typename T, bool kMap>
struct Avx512Packer {
  __m512 scalar;
  MMCOUNT_AVX512 explicit Avx512Packer(Compare<T> value) : scalar(_mm512_set1_ps(value)) {}
  MMCOUNT_AVX512 uint64_t operator()(const T* pixels, const T* map) const {
    uint64_t word = 0;
    for (int i = 0; i < 64; i += 16) {
      const __m512 bound = kMap ? load16(map + i) : scalar;
      word |= static_cast<uint64_t>(_mm512_cmp_ps_mask(load16(pixels + i), bound, _CMP_GE_OQ)) << i;
    }
    return word;
  }
};

template <bool kMap>
struct Avx512Packer<double, kMap> {
  __m512d scalar;
  MMCOUNT_AVX512 explicit Avx512Packer(double value) : scalar(_mm512_set1_pd(value)) {}
  MMCOUNT_AVX512 uint64_t operator()(const double* pixels, const double* map) const {
    uint64_t word = 0;
    for (int i = 0; i < 64; i += 8) {
      const __m512d bound = kMap ? _mm512_loadu_pd(map + i) : scalar;
      word |= static_cast<uint64_t>(_mm512_cmp_pd_mask(_mm512_loadu_pd(pixels + i), bound, _CMP_GE_OQ)) << i;
    }
    return word;
  }
};

template <bool kMap>
struct Avx512Packer<uint8_t, kMap> {
  __m512i scalar;
  MMCOUNT_AVX512 explicit Avx512Packer(uint8_t value) : scalar(_mm512_set1_epi8(static_cast<char>(value))) {}
  MMCOUNT_AVX512 uint64_t operator()(const uint8_t* pixels, const uint8_t* map) const {
    const __m512i bound = kMap ? _mm512_loadu_si512(map) : scalar;
    return _mm512_cmp_epu8_mask(_mm512_loadu_si512(pixels), bound, _MM_CMPINT_NLT);
  }
};

// 0, 1, ..., 63 as bytes: compressed by the edge word it becomes the list of edge positions.
MMCOUNT_AVX512 inline __m512i byte_iota() {
  const __m512i step = _mm512_set1_epi64(0x0706050403020100LL);
  const __m512i base = _mm512_set_epi64(56, 48, 40, 32, 24, 16, 8, 0);
  return _mm512_add_epi8(step, _mm512_shuffle_epi8(base, _mm512_set_epi64(0x0808080808080808LL, 0,
                                                                         0x0808080808080808LL, 0,
                                                                         0x0808080808080808LL, 0,
                                                                         0x0808080808080808LL, 0)));
}

template <typename T, bool kMap>
MMCOUNT_AVX512 int64_t find_runs_avx512(const void* row, const RowThreshold& threshold, int64_t width,
                                        int32_t* edges) {
  const T* pixels = static_cast<const T*>(row);
  const T* map = static_cast<const T*>(threshold.row);
  const auto scalar = static_cast<Compare<T>>(threshold.scalar);
  const Avx512Packer<T, kMap> pack(scalar);
  const __m512i iota = byte_iota();
  int32_t* out = edges;
  uint64_t carry = 0;
  for (int64_t x = 0; x < width; x += 64) {
    const T* bounds = kMap ? map + x : nullptr;
    const uint64_t word = width - x >= 64 ? pack(pixels + x, bounds)
                                          : pack_tail<T, kMap>(pixels + x, bounds, scalar, width - x);
    const uint64_t changes = word ^ (word << 1 | carry);
    carry = word >> 63;
    if (changes == 0) continue;
    const int64_t count = _mm_popcnt_u64(changes);
    const __m512i positions = _mm512_maskz_compress_epi8(changes, iota);
    const __m512i base = _mm512_set1_epi32(static_cast<int32_t>(x));
    _mm512_storeu_si512(out, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(positions))));
    if (count > 16) {
      const __m128i part1 = _mm512_extracti32x4_epi32(positions, 1);
      const __m128i part2 = _mm512_extracti32x4_epi32(positions, 2);
      const __m128i part3 = _mm512_extracti32x4_epi32(positions, 3);
      _mm512_storeu_si512(out + 16, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(part1)));
      _mm512_storeu_si512(out + 32, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(part2)));
      _mm512_storeu_si512(out + 48, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(part3)));
    }
    out += count;
  }
  if (carry) *out++ = static_cast<int32_t>(width);
  return (out - edges) / 2;
}

MMCOUNT_AVX512 inline double sum_run_avx512(const void* row, int64_t first, int64_t last) {
  const float* pixels = static_cast<const float*>(row);
  __m512d total = _mm512_setzero_pd();
  for (int64_t i = first; i < last; i += 8) {
    const int64_t left = last - i;
    const __mmask8 mask = left >= 8 ? 0xff : static_cast<__mmask8>((1u << left) - 1);
    total = _mm512_add_pd(total, _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, pixels + i)));
  }
  return _mm512_reduce_add_pd(total);
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
         __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
}

bool has_avx2() {  // every CPU with AVX2 also has F16C
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

#endif  // MMCOUNT_X86

// ---- dispatch ---------------------------------------------------------------------------------------------------

template <typename T, bool kMap>
RowKernels select(bool avx512, bool avx2) {
  RowKernels kernels{find_runs_portable<T, kMap>, sum_run_portable<T>};
#if MMCOUNT_X86
  if (avx512) {
    kernels.find_runs = find_runs_avx512<T, kMap>;
    if constexpr (std::is_same_v<T, float>) kernels.sum_run = sum_run_avx512;
  } else if (avx2) {
    kernels.find_runs = find_runs_avx2<T, kMap>;
  }
#endif
  return kernels;
}

template <typename T>
RowKernels select(bool map, bool avx512, bool avx2) {
  return map ? select<T, true>(avx512, avx2) : select<T, false>(avx512, avx2);
}

}  // namespace

RowKernels select_row_kernels(Element element, bool threshold_is_map) {
#if MMCOUNT_X86
  static const bool avx512 = has_avx512();
  static const bool avx2 = has_avx2();
#else
  constexpr bool avx512 = false;
  constexpr bool avx2 = false;
#endif
  switch (element) {
    case Element::kUInt8:
      return select<uint8_t>(threshold_is_map, avx512, avx2);
    case Element::kHalf:
      return select<Half>(threshold_is_map, avx512, avx2);
    case Element::kBFloat16:
      return select<BFloat16>(threshold_is_map, avx512, avx2);
    case Element::kFloat:
      return select<float>(threshold_is_map, avx512, avx2);
    default:
      return select<double>(threshold_is_map, avx512, avx2);
  }
}

}  // namespace mmcount
