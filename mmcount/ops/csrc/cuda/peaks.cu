// CUDA kernel of mmcount::find_peaks.
//
// Pixels are numbered through the whole batch and cut into tiles of 1,024. One pass marks the peaks as bits and counts
// them per tile; a scan of the counts gives each tile its first output row; the list is written in raster order without
// atomics, so runs are bit-identical. The host waits once, for the length of the list it has to allocate.
#include "peaks_device.cuh"

#include <optional>
#include <tuple>

namespace mmcount::peaks_cuda {
namespace {

constexpr int kTile = 1024;
constexpr int kWords = kTile / kWarp;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kScanThreads = 1024;

struct Shape {
  int64_t pixels;  // of the whole batch
  int channels, height, width;
};

template <class T>
struct Query {
  int radius, border;
  bool has_threshold;
  T threshold;
};

template <class E>
__global__ void mark_tiles(const E* data, Shape shape, Query<Wide<E>> query, uint32_t* bits, int64_t* tile_counts) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t area = int64_t{shape.height} * shape.width;
  int found = 0;
  for (int word = warp; word < kWords; word += kWarps) {
    const int64_t pixel = int64_t{blockIdx.x} * kTile + word * kWarp + lane;
    const bool inside = pixel < shape.pixels;
    const int64_t m = inside ? pixel / area : 0;
    const int in_map = inside ? static_cast<int>(pixel - m * area) : 0;
    const int y = in_map / shape.width, x = in_map - y * shape.width;
    const E* map = data + m * area;
    bool valid = inside && y >= query.border && y < shape.height - query.border && x >= query.border &&
                 x < shape.width - query.border;
    if (valid && query.has_threshold) valid = load(map + in_map) > query.threshold;
    const unsigned peaks = warp_peaks(map, shape.height, shape.width, query.radius, y, x, valid, lane);
    if (lane == 0) bits[int64_t{blockIdx.x} * kWords + word] = peaks;
    found += __popc(peaks);  // the same in all lanes
  }
  __shared__ int per_warp[kWarps];
  if (lane == 0) per_warp[warp] = found;
  __syncthreads();
  if (threadIdx.x == 0) {
    int total = 0;
    for (int w = 0; w < kWarps; ++w) total += per_warp[w];
    tile_counts[blockIdx.x] = total;
  }
}

// Exclusive sum of counts[0 .. tiles), in place, by one block; counts[tiles] becomes the total.
__global__ void scan_tiles(int64_t* counts, int64_t tiles) {
  __shared__ int64_t sums[kScanThreads];
  int64_t carry = 0;
  for (int64_t base = 0; base < tiles; base += kScanThreads) {
    const int64_t i = base + threadIdx.x;
    const int64_t own = i < tiles ? counts[i] : 0;
    sums[threadIdx.x] = own;
    __syncthreads();
    for (int offset = 1; offset < kScanThreads; offset *= 2) {
      const int64_t before = threadIdx.x >= offset ? sums[threadIdx.x - offset] : 0;
      __syncthreads();
      sums[threadIdx.x] += before;
      __syncthreads();
    }
    if (i < tiles) counts[i] = carry + sums[threadIdx.x] - own;
    carry += sums[kScanThreads - 1];
    __syncthreads();  // the last sum must be read before the next round overwrites it
  }
  if (threadIdx.x == 0) counts[tiles] = carry;
}

// One warp per tile, one lane per word of 32 pixels.
template <class E>
__global__ void write_tiles(const E* data, Shape shape, const uint32_t* bits, const int64_t* offsets, int64_t tiles,
                            int64_t* positions, E* values) {
  const int lane = threadIdx.x % kWarp;
  const int64_t tile = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (tile >= tiles) return;
  const uint32_t word = bits[tile * kWords + lane];
  int sum = __popc(word);
  const int own = sum;
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const int before = __shfl_up_sync(kAllLanes, sum, offset);
    if (lane >= offset) sum += before;
  }
  int64_t row = offsets[tile] + sum - own;
  const int64_t area = int64_t{shape.height} * shape.width;
  for (uint32_t rest = word; rest; rest &= rest - 1, ++row) {
    const int64_t pixel = tile * kTile + lane * kWarp + (__ffs(rest) - 1);
    const int64_t m = pixel / area;
    const int in_map = static_cast<int>(pixel - m * area);
    const int y = in_map / shape.width;
    positions[4 * row] = m / shape.channels;
    positions[4 * row + 1] = m % shape.channels;
    positions[4 * row + 2] = y;
    positions[4 * row + 3] = in_map - y * shape.width;
    values[row] = data[pixel];
  }
}

int clamp_int(int64_t value, int64_t largest) { return static_cast<int>(value < largest ? value : largest); }

std::tuple<Tensor, Tensor> find_peaks(const Tensor input, int64_t radius, std::optional<double> threshold,
                                      int64_t border) {
  const torch::stable::accelerator::DeviceGuard guard(input.get_device_index());
  const cudaStream_t stream = current_stream(input);
  const Tensor x = torch::stable::contiguous(input);
  const int64_t area = x.size(2) * x.size(3), pixels = x.size(0) * x.size(1) * area;
  const int64_t tiles = (pixels + kTile - 1) / kTile;
  int64_t total = 0;
  const int64_t words_size[1] = {tiles * kWords}, offsets_size[1] = {tiles + 1};
  const Tensor bits = torch::stable::new_empty(x, {words_size, 1}, ScalarType::Int);
  const Tensor offsets = torch::stable::new_empty(x, {offsets_size, 1}, ScalarType::Long);
  auto* bits_data = static_cast<uint32_t*>(bits.mutable_data_ptr());
  auto* offsets_data = offsets.mutable_data_ptr<int64_t>();
  const int64_t side = checked_side(x);
  const Shape shape{pixels, static_cast<int>(x.size(1)), static_cast<int>(x.size(2)), static_cast<int>(x.size(3))};
  if (tiles > 0) {
    with_element(x.scalar_type(), [&](auto element) {
      using E = decltype(element);
      const Query<Wide<E>> query{clamp_int(radius, side), clamp_int(border, side), threshold.has_value(),
                                 as_stored<E>(threshold.value_or(0.0))};
      mark_tiles<E><<<static_cast<unsigned>(tiles), kThreads, 0, stream>>>(
          static_cast<const E*>(x.const_data_ptr()), shape, query, bits_data, offsets_data);
      STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
    scan_tiles<<<1, kScanThreads, 0, stream>>>(offsets_data, tiles);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
    STD_CUDA_CHECK(cudaMemcpyAsync(&total, offsets_data + tiles, sizeof(total), cudaMemcpyDeviceToHost, stream));
    STD_CUDA_CHECK(cudaStreamSynchronize(stream));
  }
  const int64_t rows[2] = {total, 4}, row[1] = {total};
  Tensor positions = torch::stable::new_empty(x, {rows, 2}, ScalarType::Long);
  Tensor values = torch::stable::new_empty(x, {row, 1});
  if (total > 0) {
    with_element(x.scalar_type(), [&](auto element) {
      using E = decltype(element);
      write_tiles<E><<<static_cast<unsigned>((tiles + kWarps - 1) / kWarps), kThreads, 0, stream>>>(
          static_cast<const E*>(x.const_data_ptr()), shape, bits_data, offsets_data, tiles,
          positions.mutable_data_ptr<int64_t>(), static_cast<E*>(values.mutable_data_ptr()));
      STD_CUDA_KERNEL_LAUNCH_CHECK();
    });
  }
  return {positions, values};
}

}  // namespace
}  // namespace mmcount::peaks_cuda

STABLE_TORCH_LIBRARY_IMPL(mmcount, CUDA, m) {
  m.impl("find_peaks", TORCH_BOX(&mmcount::peaks_cuda::find_peaks));
}
