// mmcount::find_components on CUDA: run-based union-find on a bit image.
//
// 1. Threshold to one bit per pixel. 2. Every run start is a node, named by its pixel index. 3. One union per contact of
// two runs; the smaller index wins, so a root is the first pixel of its component in raster order. 4. Areas are summed
// at the roots. 5. Roots that are large enough are numbered in raster order by a scan over rows: the same order as on
// the CPU. 6. One set of atomics per run, not per pixel, fills the statistics. The host waits once, for the number of
// components. All but the last bits of `scores` (atomic sums of doubles) are deterministic.
#include "components_device.cuh"

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

namespace mmcount {
namespace components_cuda {

// One warp per row. counts[row] is the number of kept components that start in it.
__global__ void count_rows(Shape shape, Scratch scratch, int64_t min_area, int64_t* counts) {
  const int lane = static_cast<int>(threadIdx.x) & 31;
  for (int64_t row = first_item() >> 5; row < shape.rows(); row += item_step() >> 5) {
    int count = 0;
    for (int32_t word = lane; word < shape.words; word += 32) {
      count += __popc(kept_roots(Place(shape, scratch, row * shape.words + word), shape, min_area));
    }
    for (int step = 16; step > 0; step /= 2) count += __shfl_down_sync(kAllLanes, count, step);
    if (lane == 0) counts[row] = count;
  }
}

// Exclusive sums in place by one block; counts[rows] becomes the total.
__global__ void scan_rows(int64_t* counts, int64_t rows) {
  __shared__ int64_t sums[kScanThreads];
  const int64_t share = (rows + kScanThreads - 1) / kScanThreads;
  const int64_t begin = min(static_cast<int64_t>(threadIdx.x) * share, rows), end = min(begin + share, rows);
  int64_t own = 0;
  for (int64_t i = begin; i < end; ++i) own += counts[i];
  sums[threadIdx.x] = own;
  __syncthreads();
  for (int step = 1; step < kScanThreads; step *= 2) {
    const int64_t other = static_cast<int>(threadIdx.x) >= step ? sums[threadIdx.x - step] : 0;
    __syncthreads();
    sums[threadIdx.x] += other;
    __syncthreads();
  }
  int64_t before = sums[threadIdx.x] - own;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t count = counts[i];
    counts[i] = before;
    before += count;
  }
  if (threadIdx.x == kScanThreads - 1) counts[rows] = sums[kScanThreads - 1];
}

struct Tables {
  int64_t* stats;  // [K, 6] image, left, top, right, bottom, area
  double* means;   // [K, 3]; x and y hold integer sums (as bits) until the end
  bool scores;
};

// One warp per row; kept roots get table rows in raster order.
__global__ void number_roots(Shape shape, Scratch scratch, int64_t min_area, const int64_t* offsets, Tables tables) {
  const int lane = static_cast<int>(threadIdx.x) & 31;
  for (int64_t row = first_item() >> 5; row < shape.rows(); row += item_step() >> 5) {
    int64_t next = offsets[row];
    for (int32_t chunk = 0; chunk < shape.words; chunk += 32) {
      const int32_t word = chunk + lane;
      const bool inside = word < shape.words;
      const Place at(shape, scratch, row * shape.words + (inside ? word : 0));
      const Word kept = inside ? kept_roots(at, shape, min_area) : 0u;
      int through = __popc(kept);
      const int own = through;
      for (int step = 1; step < 32; step *= 2) {
        const int other = __shfl_up_sync(kAllLanes, through, step);
        if (lane >= step) through += other;
      }
      int64_t index = next + through - own;
      for (Word starts = inside ? starts_of(at.row, at.word) : 0u; starts != 0; starts &= starts - 1) {
        const Word bit = starts & (~starts + 1);
        const int32_t node = at.y * shape.width + 32 * at.word + __ffs(static_cast<int>(starts)) - 1;
        if (!(kept & bit)) {
          if (at.parent[node] == node) at.slot[node] = -1;
          continue;
        }
        int64_t* stats = tables.stats + 6 * index;
        stats[0] = at.image;
        stats[1] = shape.width;
        stats[2] = at.y;
        stats[3] = 0;
        stats[4] = 0;
        stats[5] = at.slot[node];
        for (int i = 0; i < 3; ++i) tables.means[3 * index + i] = 0;  // all bits zero: also the integer 0
        at.slot[node] = static_cast<int32_t>(index);
        ++index;
      }
      next += __shfl_sync(kAllLanes, through, 31);
    }
  }
}

template <class E>
__global__ void add_runs(View<E> pixels, Shape shape, Scratch scratch, Tables tables) {
  const int64_t total = shape.rows() * shape.words;
  for (int64_t item = first_item(); item < total; item += item_step()) {
    const Place at(shape, scratch, item);
    for (Word starts = starts_of(at.row, at.word); starts != 0; starts &= starts - 1) {
      const int32_t x = 32 * at.word + __ffs(static_cast<int>(starts)) - 1;
      const int64_t index = at.slot[at.parent[at.y * shape.width + x]];
      if (index < 0) continue;
      const int32_t end = run_end(at.row, shape, x);
      const int64_t length = end - x;
      auto* stats = reinterpret_cast<long long*>(tables.stats + 6 * index);
      atomicMin(stats + 1, static_cast<long long>(x));
      atomicMax(stats + 3, static_cast<long long>(end));
      atomicMax(stats + 4, static_cast<long long>(at.y) + 1);
      auto* sums = reinterpret_cast<unsigned long long*>(tables.means + 3 * index);
      atomicAdd(sums, static_cast<unsigned long long>((static_cast<int64_t>(x) + end - 1) * length));
      atomicAdd(sums + 1, static_cast<unsigned long long>(at.y * length));
      if (!tables.scores) continue;
      double score = 0;
      for (int32_t i = x; i < end; ++i) score += static_cast<double>(pixels.at(at.image, at.y, i));
      atomicAdd(tables.means + 3 * index + 2, score);
    }
  }
}

__global__ void finish_means(Tables tables, int64_t count) {
  for (int64_t index = first_item(); index < count; index += item_step()) {
    double* means = tables.means + 3 * index;
    const double area = static_cast<double>(tables.stats[6 * index + 5]);
    means[0] = static_cast<double>(__double_as_longlong(means[0]) / 2) / area;  // the sum of x was doubled
    means[1] = static_cast<double>(__double_as_longlong(means[1])) / area;
    means[2] = tables.scores ? means[2] / area : 1.0;
  }
}

__global__ void paint_labels(Shape shape, Scratch scratch, const int64_t* offsets, int32_t* labels) {
  const int lane = static_cast<int>(threadIdx.x) & 31;
  const int64_t total = shape.rows() * shape.words;
  for (int64_t item = first_item() >> 5; item < total; item += item_step() >> 5) {
    const Place at(shape, scratch, item);
    const int32_t x = 32 * at.word + lane;
    if (x >= shape.width) continue;
    int32_t label = 0;
    if (at.row[at.word] >> lane & 1u) {
      const int32_t index = at.slot[at.parent[at.y * shape.width + run_start(at.row, x)]];
      if (index >= 0) label = static_cast<int32_t>(index - offsets[at.image * shape.height]) + 1;
    }
    labels[at.image * shape.pixels() + static_cast<int64_t>(at.y) * shape.width + x] = label;
  }
}

unsigned blocks_for(int64_t threads) {
  const int64_t blocks = (threads + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < 65535 ? blocks : 65535);
}

template <class E>
View<E> view_of(const Tensor& x) {
  return {static_cast<const E*>(x.const_data_ptr()), x.stride(0), x.stride(1), x.stride(2)};
}

struct Request {
  std::optional<Tensor> map;
  double scalar;
  bool eight_connected, scores, return_labels;
  int64_t min_area;
};

using Result = std::tuple<Tensor, Tensor, Tensor>;

template <class E>
Result run(const Tensor& prob, const Shape& shape, const Request& request, cudaStream_t stream) {
  const int64_t words = shape.rows() * shape.words;
  Tensor bits = torch::stable::new_empty(prob, {words}, ScalarType::Int);
  Tensor nodes = torch::stable::new_empty(prob, {2, shape.images * shape.pixels()}, ScalarType::Int);
  Tensor offsets = torch::stable::new_empty(prob, {shape.rows() + 1}, ScalarType::Long);
  auto* node_data = static_cast<int32_t*>(nodes.mutable_data_ptr());
  auto* row_offsets = static_cast<int64_t*>(offsets.mutable_data_ptr());
  const Scratch scratch{static_cast<Word*>(bits.mutable_data_ptr()), node_data,
                        node_data + shape.images * shape.pixels()};
  const View<E> pixels = view_of<E>(prob);
  const auto scalar = static_cast<Wide<E>>(request.scalar);
  const unsigned by_word = blocks_for(words), by_pixel = blocks_for(32 * words), by_row = blocks_for(32 * shape.rows());

  if (request.map) {
    pack_bits<E, true><<<by_pixel, kThreads, 0, stream>>>(pixels, view_of<E>(*request.map), scalar, shape,
                                                          scratch.bits);
  } else {
    pack_bits<E, false><<<by_pixel, kThreads, 0, stream>>>(pixels, pixels, scalar, shape, scratch.bits);
  }
  start_nodes<<<by_word, kThreads, 0, stream>>>(shape, scratch);
  if (request.eight_connected) {
    join_rows<true><<<by_word, kThreads, 0, stream>>>(shape, scratch);
  } else {
    join_rows<false><<<by_word, kThreads, 0, stream>>>(shape, scratch);
  }
  sum_areas<<<by_word, kThreads, 0, stream>>>(shape, scratch);
  count_rows<<<by_row, kThreads, 0, stream>>>(shape, scratch, request.min_area, row_offsets);
  scan_rows<<<1, kScanThreads, 0, stream>>>(row_offsets, shape.rows());
  STD_CUDA_CHECK(cudaGetLastError());
  int64_t count = 0;
  STD_CUDA_CHECK(
      cudaMemcpyAsync(&count, row_offsets + shape.rows(), sizeof(count), cudaMemcpyDeviceToHost, stream));
  STD_CUDA_CHECK(cudaStreamSynchronize(stream));
  STD_TORCH_CHECK(count < std::numeric_limits<int32_t>::max(), "find_components: too many components in the batch");

  Tensor stats = torch::stable::new_empty(prob, {count, 6}, ScalarType::Long);
  Tensor means = torch::stable::new_empty(prob, {count, 3}, ScalarType::Double);
  Tensor labels = torch::stable::new_empty(
      prob, {request.return_labels ? shape.images : 0, shape.height, shape.width}, ScalarType::Int);
  const Tables tables{static_cast<int64_t*>(stats.mutable_data_ptr()), static_cast<double*>(means.mutable_data_ptr()),
                      request.scores};
  // Without components this still marks the small ones as dropped, which the labels read.
  number_roots<<<by_row, kThreads, 0, stream>>>(shape, scratch, request.min_area, row_offsets, tables);
  if (count > 0) {
    add_runs<E><<<by_word, kThreads, 0, stream>>>(pixels, shape, scratch, tables);
    finish_means<<<blocks_for(count), kThreads, 0, stream>>>(tables, count);
  }
  if (request.return_labels) {
    paint_labels<<<by_pixel, kThreads, 0, stream>>>(shape, scratch, row_offsets,
                                                    static_cast<int32_t*>(labels.mutable_data_ptr()));
  }
  STD_CUDA_CHECK(cudaGetLastError());
  return {stats, means, labels};
}

Result dispatch(const Tensor& prob, const Shape& shape, const Request& request, cudaStream_t stream) {
  switch (prob.scalar_type()) {
    case ScalarType::Bool:
    case ScalarType::Byte:
      return run<uint8_t>(prob, shape, request, stream);
    case ScalarType::Half:
      return run<Half>(prob, shape, request, stream);
    case ScalarType::BFloat16:
      return run<BFloat16>(prob, shape, request, stream);
    case ScalarType::Float:
      return run<float>(prob, shape, request, stream);
    case ScalarType::Double:
      return run<double>(prob, shape, request, stream);
    default:
      STD_TORCH_CHECK(false, "find_components: expected a bool, uint8 or floating map");
  }
}

Result find_components(const Tensor& prob, std::optional<Tensor> threshold_map, std::optional<double> threshold,
                       int64_t connectivity, int64_t min_area, bool return_labels) {
  STD_TORCH_CHECK(prob.dim() == 3, "find_components: expected a map of shape (N, H, W)");
  STD_TORCH_CHECK(connectivity == 4 || connectivity == 8, "find_components: connectivity must be 4 or 8");
  const ScalarType dtype = prob.scalar_type();
  const bool bytes = dtype == ScalarType::Bool || dtype == ScalarType::Byte;
  STD_TORCH_CHECK(threshold_map || threshold || bytes, "find_components: a floating map needs a threshold");
  if (threshold_map) {
    STD_TORCH_CHECK(threshold_map->dim() == 3 && threshold_map->size(0) == prob.size(0) &&
                        threshold_map->size(1) == prob.size(1) && threshold_map->size(2) == prob.size(2) &&
                        threshold_map->scalar_type() == dtype &&
                        threshold_map->get_device_index() == prob.get_device_index() && threshold_map->is_cuda(),
                    "find_components: the threshold map must have the shape, dtype and device of the map");
  }
  constexpr int64_t kMaxPixels = std::numeric_limits<int32_t>::max() - 64;
  STD_TORCH_CHECK(prob.size(1) < kMaxPixels && prob.size(2) < kMaxPixels &&
                      (prob.size(2) == 0 || prob.size(1) <= kMaxPixels / prob.size(2)),
                  "find_components: the map is too large for 32-bit pixel indices");
  const torch::stable::accelerator::DeviceGuard guard(prob.get_device_index());
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(prob.get_device_index(), &stream));
  Request request{threshold_map, threshold.value_or(1.0), connectivity == 8,
                  (threshold_map || threshold) && dtype != ScalarType::Bool, return_labels, min_area};
  // As on the CPU: an integer pixel passes a bound exactly if it passes the next integer. 256 stops every uint8.
  if (bytes) request.scalar = std::fmin(std::fmax(std::ceil(request.scalar), 0.0), 256.0);
  const Shape shape{prob.size(0), static_cast<int32_t>(prob.size(1)), static_cast<int32_t>(prob.size(2)),
                    static_cast<int32_t>((prob.size(2) + 31) / 32)};
  if (prob.numel() == 0) {
    return {torch::stable::new_empty(prob, {0, 6}, ScalarType::Long),
            torch::stable::new_empty(prob, {0, 3}, ScalarType::Double),
            torch::stable::new_empty(prob, {return_labels ? shape.images : 0, shape.height, shape.width},
                                     ScalarType::Int)};
  }
  return dispatch(prob, shape, request, static_cast<cudaStream_t>(stream));
}

}  // namespace components_cuda

STABLE_TORCH_LIBRARY_IMPL(mmcount, CUDA, m) {
  m.impl("find_components", TORCH_BOX(&components_cuda::find_components));
}

}  // namespace mmcount
