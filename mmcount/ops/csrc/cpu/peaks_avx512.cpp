// Peak kernels for AVX-512 (F, BW, DQ, VL).
#include "peaks_isa.h"

#ifdef MMCOUNT_X86_ISAS
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,lzcnt,popcnt,fma")

namespace mmcount::peaks {
namespace {
namespace avx512 {

struct F32 {
  using T = float;
  using Word = uint16_t;
  static constexpr int lanes = 16;
  using V = __m512;
  using M = __mmask16;

  static V set1(T v) { return _mm512_set1_ps(v); }
  static V load(const T* p) { return _mm512_loadu_ps(p); }
  static V load(const T* p, int lo, int hi) {
    const auto in = static_cast<M>(((1u << hi) - 1) & ~((1u << lo) - 1));
    return _mm512_mask_loadu_ps(set1(std::numeric_limits<T>::quiet_NaN()), in, p);
  }
  static M ge(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
  static M gt(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static M not_ge(M k, V a, V b) { return _mm512_mask_cmp_ps_mask(k, a, b, _CMP_NGE_UQ); }
  static M not_gt(M k, V a, V b) { return _mm512_mask_cmp_ps_mask(k, a, b, _CMP_NGT_UQ); }
  static uint32_t to_bits(M k) { return k; }
};

struct F64 {
  using T = double;
  using Word = uint8_t;
  static constexpr int lanes = 8;
  using V = __m512d;
  using M = __mmask8;

  static V set1(T v) { return _mm512_set1_pd(v); }
  static V load(const T* p) { return _mm512_loadu_pd(p); }
  static V load(const T* p, int lo, int hi) {
    const auto in = static_cast<M>(((1u << hi) - 1) & ~((1u << lo) - 1));
    return _mm512_mask_loadu_pd(set1(std::numeric_limits<T>::quiet_NaN()), in, p);
  }
  static M ge(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); }
  static M gt(V a, V b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
  static M not_ge(M k, V a, V b) { return _mm512_mask_cmp_pd_mask(k, a, b, _CMP_NGE_UQ); }
  static M not_gt(M k, V a, V b) { return _mm512_mask_cmp_pd_mask(k, a, b, _CMP_NGT_UQ); }
  static uint32_t to_bits(M k) { return k; }
};

#include "peaks_mark.h"

}  // namespace avx512
}  // namespace

const Isa avx512_isa = {
    {avx512::mark<avx512::F32>, avx512::count_le<avx512::F32>},
    {avx512::mark<avx512::F64>, avx512::count_le<avx512::F64>},
};

}  // namespace mmcount::peaks

#pragma GCC pop_options
#endif
