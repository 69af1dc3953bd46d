// Peak kernels for AVX2.
#include "peaks_isa.h"

#ifdef MMCOUNT_X86_ISAS
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt,fma")

namespace mmcount::peaks {
namespace {
namespace avx2 {

struct F32 {
  using T = float;
  using Word = uint8_t;
  static constexpr int lanes = 8;
  using V = __m256;
  using M = __m256;

  static V set1(T v) { return _mm256_set1_ps(v); }
  static V load(const T* p) { return _mm256_loadu_ps(p); }
  static V load(const T* p, int lo, int hi) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i in = _mm256_and_si256(_mm256_cmpgt_epi32(lane, _mm256_set1_epi32(lo - 1)),
                                        _mm256_cmpgt_epi32(_mm256_set1_epi32(hi), lane));
    const V nan = set1(std::numeric_limits<T>::quiet_NaN());
    return _mm256_blendv_ps(nan, _mm256_maskload_ps(p, in), _mm256_castsi256_ps(in));
  }
  static M ge(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
  static M gt(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static M not_ge(M k, V a, V b) { return _mm256_and_ps(k, _mm256_cmp_ps(a, b, _CMP_NGE_UQ)); }
  static M not_gt(M k, V a, V b) { return _mm256_and_ps(k, _mm256_cmp_ps(a, b, _CMP_NGT_UQ)); }
  static uint32_t to_bits(M k) { return static_cast<uint32_t>(_mm256_movemask_ps(k)); }
};

// Two registers, so that a vector's mask fills a byte as in F32.
struct F64 {
  using T = double;
  using Word = uint8_t;
  static constexpr int lanes = 8;
  struct V {
    __m256d a, b;
  };
  using M = V;

  static V set1(T v) { return {_mm256_set1_pd(v), _mm256_set1_pd(v)}; }
  static V load(const T* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  static __m256d half(const T* p, int lo, int hi) {
    const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
    const __m256i in = _mm256_and_si256(_mm256_cmpgt_epi64(lane, _mm256_set1_epi64x(lo - 1)),
                                        _mm256_cmpgt_epi64(_mm256_set1_epi64x(hi), lane));
    const __m256d nan = _mm256_set1_pd(std::numeric_limits<T>::quiet_NaN());
    return _mm256_blendv_pd(nan, _mm256_maskload_pd(p, in), _mm256_castsi256_pd(in));
  }
  static V load(const T* p, int lo, int hi) { return {half(p, lo, hi), half(p + 4, lo - 4, hi - 4)}; }
  static M ge(V x, V y) { return {_mm256_cmp_pd(x.a, y.a, _CMP_GE_OQ), _mm256_cmp_pd(x.b, y.b, _CMP_GE_OQ)}; }
  static M gt(V x, V y) { return {_mm256_cmp_pd(x.a, y.a, _CMP_GT_OQ), _mm256_cmp_pd(x.b, y.b, _CMP_GT_OQ)}; }
  static M both(M k, M m) { return {_mm256_and_pd(k.a, m.a), _mm256_and_pd(k.b, m.b)}; }
  static M not_ge(M k, V x, V y) {
    return both(k, {_mm256_cmp_pd(x.a, y.a, _CMP_NGE_UQ), _mm256_cmp_pd(x.b, y.b, _CMP_NGE_UQ)});
  }
  static M not_gt(M k, V x, V y) {
    return both(k, {_mm256_cmp_pd(x.a, y.a, _CMP_NGT_UQ), _mm256_cmp_pd(x.b, y.b, _CMP_NGT_UQ)});
  }
  static uint32_t to_bits(M k) {
    return static_cast<uint32_t>(_mm256_movemask_pd(k.a) | _mm256_movemask_pd(k.b) << 4);
  }
};

#include "peaks_mark.h"

}  // namespace avx2
}  // namespace

const Isa avx2_isa = {
    {avx2::mark<avx2::F32>, avx2::count_le<avx2::F32>},
    {avx2::mark<avx2::F64>, avx2::count_le<avx2::F64>},
};

}  // namespace mmcount::peaks

#pragma GCC pop_options
#endif
