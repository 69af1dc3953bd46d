// Peak kernels for any processor: eight lanes as plain arrays.
#include "peaks_isa.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace mmcount::peaks {
namespace {
namespace baseline {

template <class Value>
struct Vec {
  using T = Value;
  using Word = uint8_t;
  static constexpr int lanes = 8;
  struct V {
    T lane[lanes];
  };
  using M = uint32_t;

  static V set1(T v) {
    V out;
    for (T& lane : out.lane) lane = v;
    return out;
  }
  static V load(const T* p) {
    V out;
    for (int i = 0; i < lanes; ++i) out.lane[i] = p[i];
    return out;
  }
  static V load(const T* p, int lo, int hi) {
    V out = set1(std::numeric_limits<T>::quiet_NaN());
    for (int i = lo; i < hi; ++i) out.lane[i] = p[i];
    return out;
  }
  static M ge(const V& a, const V& b) {
    M out = 0;
    for (int i = 0; i < lanes; ++i) out |= M{a.lane[i] >= b.lane[i]} << i;
    return out;
  }
  static M gt(const V& a, const V& b) {
    M out = 0;
    for (int i = 0; i < lanes; ++i) out |= M{a.lane[i] > b.lane[i]} << i;
    return out;
  }
  static M not_ge(M k, const V& a, const V& b) { return k & ~ge(a, b); }
  static M not_gt(M k, const V& a, const V& b) { return k & ~gt(a, b); }
  static uint32_t to_bits(M k) { return k; }
};

#include "peaks_mark.h"

}  // namespace baseline
}  // namespace

const Isa baseline_isa = {
    {baseline::mark<baseline::Vec<float>>, baseline::count_le<baseline::Vec<float>>},
    {baseline::mark<baseline::Vec<double>>, baseline::count_le<baseline::Vec<double>>},
};

}  // namespace mmcount::peaks
