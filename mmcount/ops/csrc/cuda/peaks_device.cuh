// Device code the CUDA peak ops share.
#pragma once

#include "../common.h"

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

namespace mmcount::peaks_cuda {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarp = 32;

// Narrow dtypes compare as float, which holds their values exactly.
template <class E>
using Wide = std::conditional_t<std::is_same_v<E, double>, double, float>;

template <class E>
__device__ __forceinline__ Wide<E> load(const E* p) {
  return static_cast<Wide<E>>(*p);
}

inline cudaStream_t current_stream(const Tensor& x) {
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(x.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

// Longer side of the maps, small enough for int arithmetic: pixel indices plus a block, and twice a coordinate, fit.
inline int64_t checked_side(const Tensor& x) {
  const int64_t height = x.size(2), width = x.size(3), side = height > width ? height : width;
  STD_TORCH_CHECK(side <= int64_t{1} << 30 && height * width < (int64_t{1} << 31) - 1024,
                  "a map must have sides of at most 2^30 and fewer than 2^31 - 1024 pixels, got ", height, " x ", width);
  return side;
}

// f(element type) for the four floating dtypes.
template <class F>
void with_element(ScalarType dtype, const F& f) {
  if (dtype == ScalarType::Half) return f(Half{});
  if (dtype == ScalarType::BFloat16) return f(BFloat16{});
  if (dtype == ScalarType::Float) return f(float{});
  STD_TORCH_CHECK(dtype == ScalarType::Double, "x must be float16, bfloat16, float32 or float64");
  f(double{});
}

// Scalar of the maps' dtype, rounded as in Python.
template <class E>
Wide<E> as_stored(double value) {
  if constexpr (std::is_same_v<E, double>) {
    return value;
  } else {
    return static_cast<float>(static_cast<E>(static_cast<float>(value)));
  }
}

// Whether a neighbour suppresses a pixel of value v. A NaN neighbour never does: it is absent.
template <class T>
__device__ __forceinline__ bool suppresses(T neighbour, T v, bool earlier) {
  return earlier ? neighbour >= v : neighbour > v;
}

// Test of the 3 x 3 window, by one thread.
template <class E>
__device__ bool is_3x3_peak(const E* map, int height, int width, int y, int x, Wide<E> v) {
#pragma unroll
  for (int dy = -1; dy <= 1; ++dy) {
#pragma unroll
    for (int dx = -1; dx <= 1; ++dx) {
      if (dy == 0 && dx == 0) continue;
      const int yy = y + dy, xx = x + dx;
      if (yy < 0 || yy >= height || xx < 0 || xx >= width) continue;
      const bool earlier = dy < 0 || (dy == 0 && dx < 0);
      if (suppresses(load(map + int64_t{yy} * width + xx), v, earlier)) return false;
    }
  }
  return true;
}

// Test of the whole window, by all lanes of a warp together; every lane passes the same pixel and gets the answer.
// Near rows come first, because they reject most.
template <class E>
__device__ bool warp_is_peak(const E* map, int height, int width, int radius, int y, int x, int lane) {
  const Wide<E> v = load(map + int64_t{y} * width + x);
  const int x_begin = max(0, x - radius);
  const int x_end = min(width - 1, x + radius) + 1;
  const int reach = min(radius, max(y, height - 1 - y));
  for (int step = 0; step <= 2 * reach; ++step) {  // rows y, y - 1, y + 1, y - 2, ...
    const int d = (step + 1) / 2;
    const int yy = step % 2 ? y - d : y + d;
    if (yy < 0 || yy >= height) continue;  // the same for all lanes
    bool beaten = false;
    for (int xx = x_begin + lane; xx < x_end; xx += kWarp) {
      if (yy == y && xx == x) continue;
      const bool earlier = yy < y || (yy == y && xx < x);
      beaten |= suppresses(load(map + int64_t{yy} * width + xx), v, earlier);
    }
    if (__any_sync(kAllLanes, beaten)) return false;
  }
  return true;
}

// Ballot of the peaks among the 32 pixels of a warp. Lane i asks about pixel (y, x) of its own map when `valid`.
// All lanes must call; they may sit in different maps.
template <class E>
__device__ unsigned warp_peaks(const E* map, int height, int width, int radius, int y, int x, bool valid, int lane) {
  bool peak = valid;
  if (valid) {
    const Wide<E> v = load(map + int64_t{y} * width + x);
    peak = v == v && (radius == 0 || is_3x3_peak(map, height, width, y, x, v));
  }
  unsigned peaks = __ballot_sync(kAllLanes, peak);
  if (radius <= 1) return peaks;
  for (unsigned rest = peaks; rest; rest &= rest - 1) {  // uniform: every lane has the same ballot
    const int owner = __ffs(rest) - 1;
    const auto address = reinterpret_cast<unsigned long long>(map);
    const auto* its_map = reinterpret_cast<const E*>(__shfl_sync(kAllLanes, address, owner));
    const int its_y = __shfl_sync(kAllLanes, y, owner), its_x = __shfl_sync(kAllLanes, x, owner);
    if (!warp_is_peak(its_map, height, width, radius, its_y, its_x, lane)) peaks &= ~(1u << owner);
  }
  return peaks;
}

}  // namespace mmcount::peaks_cuda
