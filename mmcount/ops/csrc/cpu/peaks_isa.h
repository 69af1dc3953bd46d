// Table of the peak kernels compiled once per instruction set; peaks.cpp picks one at run time.
#pragma once

#include <cstdint>

namespace mmcount::peaks {

// One map. Bit x % 64 of word y * words + x / 64 of `bits` is pixel (x, y).
template <class T>
struct Map {
  const T* data;
  int64_t height, width;
  int64_t words;  // 64-bit words per row
};

template <class T>
struct Query {
  int64_t radius;
  int64_t border;
  bool has_threshold;
  T threshold;
};

template <class T>
struct Kernels {
  // Set the peak bits of rows [begin, end) and return how many; `bits` is the map's first word and begin is a multiple
  // of radius + 1.
  int64_t (*mark)(const Map<T>& map, const Query<T>& query, int64_t begin, int64_t end, uint64_t* bits);
  // Number of elements <= value; NaN is never counted.
  int64_t (*count_le)(const T* data, int64_t size, T value);
};

struct Isa {
  Kernels<float> f32;
  Kernels<double> f64;
};

extern const Isa baseline_isa;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MMCOUNT_X86_ISAS 1
extern const Isa avx2_isa;
extern const Isa avx512_isa;
#endif

template <class T>
const Kernels<T>& pick(const Isa& isa) {
  if constexpr (sizeof(T) == 4) {
    return isa.f32;
  } else {
    return isa.f64;
  }
}

}  // namespace mmcount::peaks
