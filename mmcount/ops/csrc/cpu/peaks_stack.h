// What the CPU peak ops share: maps as a stack of contiguous planes, and their peaks as bits.
#pragma once

#include "../common.h"
#include "peaks_isa.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace mmcount::peaks {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

// The fastest kernels this processor runs.
const Isa& isa();

// Scalar of the maps' dtype, widened to the type the kernels compare in. Narrow dtypes round as in Python.
template <class T>
T as_stored(double value, ScalarType dtype) {
  if (dtype == ScalarType::Half) return static_cast<T>(static_cast<float>(Half(static_cast<float>(value))));
  if (dtype == ScalarType::BFloat16) return static_cast<T>(static_cast<float>(BFloat16(static_cast<float>(value))));
  return static_cast<T>(value);
}

// The four dtypes compare as float or double; 16-bit floats widen without loss.
inline Tensor widen(const Tensor& x) {
  const auto dtype = x.scalar_type();
  if (dtype == ScalarType::Half || dtype == ScalarType::BFloat16) {
    return torch::stable::contiguous(torch::stable::to(x, ScalarType::Float));
  }
  return torch::stable::contiguous(x);
}

template <class F>
auto with_type(const Tensor& wide, const F& f) {
  if (wide.scalar_type() == ScalarType::Float) return f(float{});
  STD_TORCH_CHECK(wide.scalar_type() == ScalarType::Double, "x must be float16, bfloat16, float32 or float64");
  return f(double{});
}

// All maps of a tensor and their peak bits.
template <class T>
class Stack {
 public:
  explicit Stack(const Tensor& wide)
      : data_(wide.const_data_ptr<T>()),
        channels_(wide.size(1)),
        maps_(wide.size(0) * wide.size(1)),
        height_(wide.size(2)),
        width_(wide.size(3)),
        words_((width_ + 63) / 64) {}

  int64_t maps() const { return maps_; }
  int64_t channels() const { return channels_; }
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  int64_t words() const { return words_; }
  int64_t area() const { return height_ * width_; }
  int64_t words_per_map() const { return height_ * words_; }
  const T* map_data(int64_t m) const { return data_ + m * area(); }
  Map<T> map(int64_t m) const { return {map_data(m), height_, width_, words_}; }

 private:
  const T* data_;
  int64_t channels_, maps_, height_, width_, words_;
};

inline constexpr double kNsPerPixel = 0.5;

// Peak bits of all maps, and their number per map.
template <class T>
void mark_all_maps(const Stack<T>& stack, const Query<T>& query, uint64_t* bits, int64_t* counts) {
  const int64_t side = std::min(query.radius, std::max(stack.height(), stack.width())) + 1;
  // A large map is cut into bands, so that one map can use several threads.
  const int64_t target_rows = std::max<int64_t>(1, (int64_t{1} << 18) / std::max<int64_t>(1, stack.width()));
  const int64_t band = (target_rows + side - 1) / side * side;
  const int64_t bands = std::max<int64_t>(1, (stack.height() + band - 1) / band);
  std::vector<int64_t> per_band(static_cast<size_t>(stack.maps() * bands));
  const auto mark = pick<T>(isa()).mark;
  const double cost = kNsPerPixel * static_cast<double>(std::min(band, stack.height()) * stack.width());
  parallel(stack.maps() * bands, cost, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t m = task / bands, y0 = task % bands * band, y1 = std::min(stack.height(), y0 + band);
      uint64_t* map_bits = bits + m * stack.words_per_map();
      per_band[static_cast<size_t>(task)] = mark(stack.map(m), query, y0, y1, map_bits);
    }
  });
  for (int64_t m = 0; m < stack.maps(); ++m) {
    counts[m] = 0;
    for (int64_t b = 0; b < bands; ++b) counts[m] += per_band[static_cast<size_t>(m * bands + b)];
  }
}

template <class F>
inline void for_each_bit(const uint64_t* bits, int64_t height, int64_t words, const F& f) {
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t w = 0; w < words; ++w) {
      for (uint64_t rest = *bits++; rest; rest &= rest - 1) f(y, w * 64 + __builtin_ctzll(rest));
    }
  }
}

template <class T>
Query<T> make_query(int64_t radius, std::optional<double> threshold, int64_t border, ScalarType dtype) {
  return {radius, border, threshold.has_value(), as_stored<T>(threshold.value_or(0.0), dtype)};
}

}  // namespace mmcount::peaks
