// CUDA kernels of mmcount::peak_stimulation and its backward: one block per map, one launch, no wait for the device.
#include "peaks_device.cuh"

#include <cmath>
#include <string>
#include <tuple>

namespace mmcount::peaks_cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;

enum class Filter { kNone, kMedian, kMean, kMax, kValue };

Filter parse(const std::string& name) {
  if (name == "none") return Filter::kNone;
  if (name == "median") return Filter::kMedian;
  if (name == "mean") return Filter::kMean;
  if (name == "max") return Filter::kMax;
  STD_TORCH_CHECK(name == "value", "unknown filter ", name);
  return Filter::kValue;
}

// Unsigned keys in the order of the values; both zeros get the same key.
__device__ __forceinline__ uint32_t order_key(float v) {
  const uint32_t raw = __float_as_uint(v == 0.0f ? 0.0f : v);
  return raw & 0x80000000u ? ~raw : raw | 0x80000000u;
}

__device__ __forceinline__ uint64_t order_key(double v) {
  const auto raw = static_cast<uint64_t>(__double_as_longlong(v == 0.0 ? 0.0 : v));
  return raw >> 63 ? ~raw : raw | (uint64_t{1} << 63);
}

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

struct Larger {
  __device__ double operator()(double a, double b) const { return a > b ? a : b; }
};

// Reduction over the block in a fixed order; every thread gets the result.
template <class T, class Op>
__device__ T block_reduce(T value, Op op) {
  __shared__ T parts[kWarps];
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value = op(value, __shfl_down_sync(kAllLanes, value, offset));
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
  T total = parts[0];
  for (int w = 1; w < kWarps; ++w) total = op(total, parts[w]);
  __syncthreads();  // `parts` may be reused at once
  return total;
}

// Key of the lower median of the present pixels: radix selection, eight bits a pass.
template <class E>
__device__ auto median_key(const E* map, int area, int present) {
  using Key = decltype(order_key(Wide<E>{}));
  __shared__ int histogram[256];
  __shared__ int chosen, rank_left;
  Key prefix = 0;
  int rank = (present - 1) / 2;
  for (int shift = static_cast<int>(sizeof(Key)) * 8 - 8; shift >= 0; shift -= 8) {
    for (int b = threadIdx.x; b < 256; b += kThreads) histogram[b] = 0;
    __syncthreads();
    // Keys that agree with `prefix` above the current digit; the top digit has nothing above it.
    const bool top = shift + 8 == static_cast<int>(sizeof(Key)) * 8;
    for (int i = threadIdx.x; i < area; i += kThreads) {
      const auto v = load(map + i);
      if (v != v) continue;
      const Key key = order_key(v);
      if (top || (key >> (shift + 8)) == (prefix >> (shift + 8))) {
        atomicAdd(&histogram[static_cast<int>((key >> shift) & 255)], 1);
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int left = rank, b = 0;
      while (left >= histogram[b]) left -= histogram[b++];
      chosen = b;
      rank_left = left;
    }
    __syncthreads();
    prefix |= static_cast<Key>(chosen) << shift;
    rank = rank_left;
    __syncthreads();
  }
  return prefix;
}

template <class E>
__global__ void stimulate(const E* data, int height, int width, int radius, Filter filter, Wide<E> level, E* scores,
                          int64_t* counts, bool* masks) {
  using T = Wide<E>;
  const int area = height * width, lane = threadIdx.x % kWarp;
  const E* map = data + int64_t{blockIdx.x} * area;
  bool* mask = masks + int64_t{blockIdx.x} * area;
  int present = 0, peaks = 0;
  double sum = 0, largest = -INFINITY;
  for (int base = threadIdx.x - lane; base < area; base += kThreads) {  // uniform over a warp
    const int i = base + lane;
    const bool inside = i < area;
    const int y = inside ? i / width : 0, x = inside ? i - y * width : 0;
    const unsigned found = warp_peaks(map, height, width, radius, y, x, inside, lane);
    if (!inside) continue;
    const T v = load(map + i);
    if (v == v) {
      ++present;
      sum += static_cast<double>(v);
      largest = Larger{}(largest, static_cast<double>(v));
    }
    mask[i] = found >> lane & 1;
    peaks += found >> lane & 1;
  }
  peaks = block_reduce(peaks, Add{});
  if (peaks == 0) {  // the whole map is NaN
    if (threadIdx.x == 0) {
      scores[blockIdx.x] = static_cast<E>(static_cast<T>(NAN));
      counts[blockIdx.x] = 0;
    }
    return;
  }
  double least = -INFINITY;
  if (filter == Filter::kMean) {
    present = block_reduce(present, Add{});
    const double mean = block_reduce(sum, Add{}) / present;
    largest = block_reduce(largest, Larger{});
    least = largest < mean ? largest : mean;
  } else if (filter == Filter::kMax) {
    least = block_reduce(largest, Larger{});
  } else if (filter == Filter::kValue) {
    least = static_cast<double>(level);
  }
  decltype(order_key(T{})) least_key = 0;
  if (filter == Filter::kMedian) least_key = median_key(map, area, block_reduce(present, Add{}));
  double kept_sum = 0;
  int kept = 0;
  for (int i = threadIdx.x; i < area; i += kThreads) {  // the very pixels this thread marked
    if (!mask[i]) continue;
    const T v = load(map + i);
    const bool keep = filter == Filter::kMedian ? order_key(v) >= least_key : static_cast<double>(v) >= least;
    if (keep) {
      kept_sum += static_cast<double>(v);
      ++kept;
    } else {
      mask[i] = false;
    }
  }
  kept = block_reduce(kept, Add{});
  kept_sum = block_reduce(kept_sum, Add{});
  if (threadIdx.x == 0) {
    scores[blockIdx.x] = static_cast<E>(static_cast<T>(kept > 0 ? kept_sum / kept : 0.0));
    counts[blockIdx.x] = kept;
  }
}

template <class E>
__global__ void spread(const E* grad, const int64_t* counts, const bool* mask, bool mean_grad, int64_t area,
                       int64_t size, E* out) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < size; i += stride) {
    if (!mask[i]) {
      out[i] = static_cast<E>(Wide<E>{0});
      continue;
    }
    const int64_t m = i / area;
    const double g = static_cast<double>(load(grad + m));
    const double share = g / static_cast<double>(counts[m] > 0 ? counts[m] : 1);
    out[i] = mean_grad ? static_cast<E>(static_cast<Wide<E>>(share)) : grad[m];
  }
}

std::tuple<Tensor, Tensor, Tensor> peak_stimulation(const Tensor input, int64_t radius, std::string filter,
                                                    double level, bool /*mean_grad*/) {
  const torch::stable::accelerator::DeviceGuard guard(input.get_device_index());
  const cudaStream_t stream = current_stream(input);
  const Tensor x = torch::stable::contiguous(input);
  const int64_t size[4] = {x.size(0), x.size(1), x.size(2), x.size(3)};
  const Tensor scores = torch::stable::new_empty(x, {size, 2});
  const Tensor counts = torch::stable::new_empty(x, {size, 2}, ScalarType::Long);
  const Tensor mask = torch::stable::new_empty(x, {size, 4}, ScalarType::Bool);
  const Filter kind = parse(filter);
  const int64_t maps = size[0] * size[1], side = checked_side(x);
  if (maps > 0) {
    with_element(x.scalar_type(), [&](auto element) {
      using E = decltype(element);
      stimulate<E><<<static_cast<unsigned>(maps), kThreads, 0, stream>>>(
          static_cast<const E*>(x.const_data_ptr()), static_cast<int>(size[2]), static_cast<int>(size[3]),
          static_cast<int>(radius < side ? radius : side), kind, as_stored<E>(level),
          static_cast<E*>(scores.mutable_data_ptr()), counts.mutable_data_ptr<int64_t>(),
          static_cast<bool*>(mask.mutable_data_ptr()));
      STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
  }
  return {scores, counts, mask};
}

Tensor peak_stimulation_backward(const Tensor grad, const Tensor counts, const Tensor mask, bool mean_grad) {
  const torch::stable::accelerator::DeviceGuard guard(grad.get_device_index());
  const cudaStream_t stream = current_stream(grad);
  const Tensor dense = torch::stable::contiguous(grad), number = torch::stable::contiguous(counts);
  const Tensor peaks = torch::stable::contiguous(mask);
  const int64_t size[4] = {mask.size(0), mask.size(1), mask.size(2), mask.size(3)};
  const Tensor out = torch::stable::new_empty(grad, {size, 4});
  const int64_t pixels = mask.numel();
  if (pixels > 0) {
    const int64_t blocks = (pixels + kThreads - 1) / kThreads;
    with_element(grad.scalar_type(), [&](auto element) {
      using E = decltype(element);
      spread<E><<<static_cast<unsigned>(blocks < 65535 ? blocks : 65535), kThreads, 0, stream>>>(
          static_cast<const E*>(dense.const_data_ptr()), number.const_data_ptr<int64_t>(),
          static_cast<const bool*>(peaks.const_data_ptr()), mean_grad, size[2] * size[3], pixels,
          static_cast<E*>(out.mutable_data_ptr()));
      STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
  }
  return out;
}

}  // namespace
}  // namespace mmcount::peaks_cuda

STABLE_TORCH_LIBRARY_IMPL(mmcount, CUDA, m) {
  m.impl("peak_stimulation", TORCH_BOX(&mmcount::peaks_cuda::peak_stimulation));
  m.impl("peak_stimulation_backward", TORCH_BOX(&mmcount::peaks_cuda::peak_stimulation_backward));
}
