// Device code of find_components: the bit image, runs, and union-find over run starts.
#pragma once

#include "../common.h"

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

namespace mmcount {
namespace components_cuda {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;
using Word = uint32_t;

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kThreads = 256;
constexpr int kScanThreads = 1024;

// uint8 values and bounds are exact in float.
template <class E>
using Wide = std::conditional_t<std::is_same_v<E, double>, double, float>;

struct Shape {
  int64_t images;
  int32_t height, width, words;  // words of 32 pixels per row

  __host__ __device__ int64_t rows() const { return images * height; }
  __host__ __device__ int64_t pixels() const { return static_cast<int64_t>(height) * width; }
};

template <class E>
struct View {
  const E* data;
  int64_t image_stride, row_stride, column_stride;

  __device__ Wide<E> at(int64_t image, int64_t y, int64_t x) const {
    return static_cast<Wide<E>>(data[image * image_stride + y * row_stride + x * column_stride]);
  }
};

struct Scratch {
  Word* bits;       // [rows, words]
  int32_t* parent;  // [images, pixels]; only run starts are used
  int32_t* slot;    // same; at roots: the area, then the index in the table, or -1
};

// Item i of the grid-stride loops below: word w of row y of an image.
struct Place {
  int64_t image;
  int32_t y, word;
  const Word* row;
  int32_t* parent;
  int32_t* slot;

  __device__ Place(const Shape& shape, const Scratch& scratch, int64_t item) {
    const int64_t flat_row = item / shape.words;
    word = static_cast<int32_t>(item - flat_row * shape.words);
    image = flat_row / shape.height;
    y = static_cast<int32_t>(flat_row - image * shape.height);
    row = scratch.bits + flat_row * shape.words;
    parent = scratch.parent + image * shape.pixels();
    slot = scratch.slot + image * shape.pixels();
  }
};

__device__ __forceinline__ int64_t first_item() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ int64_t item_step() {
  return static_cast<int64_t>(gridDim.x) * blockDim.x;
}

__device__ __forceinline__ Word word_or_zero(const Word* row, int32_t index, int32_t words) {
  return index >= 0 && index < words ? row[index] : 0u;
}

// Bits of `row` that start a run, for one word.
__device__ __forceinline__ Word starts_of(const Word* row, int32_t index) {
  const Word bits = row[index];
  return bits & ~(bits << 1 | (index > 0 ? row[index - 1] >> 31 : 0u));
}

// First pixel of the run that covers x.
__device__ int32_t run_start(const Word* row, int32_t x) {
  int32_t word = x >> 5;
  Word zeros = ~row[word] & ((1u << (x & 31)) - 1);
  while (zeros == 0) {
    if (--word < 0) return 0;
    zeros = ~row[word];
  }
  return 32 * word + 32 - __clz(static_cast<int>(zeros));
}

// One past the last pixel of the run that covers x. Bits past the width are zero.
__device__ int32_t run_end(const Word* row, const Shape& shape, int32_t x) {
  int32_t word = x >> 5;
  Word zeros = ~row[word] & ~((1u << (x & 31)) - 1);
  while (zeros == 0) {
    if (++word == shape.words) return shape.width;
    zeros = ~row[word];
  }
  return 32 * word + __ffs(static_cast<int>(zeros)) - 1;
}

__device__ int32_t find_root(const int32_t* parent, int32_t node) {
  const volatile int32_t* links = parent;
  int32_t next = links[node];
  while (next != node) {
    node = next;
    next = links[node];
  }
  return node;
}

__device__ void unite(int32_t* parent, int32_t a, int32_t b) {
  while (true) {
    a = find_root(parent, a);
    b = find_root(parent, b);
    if (a == b) return;
    if (a < b) {
      const int32_t swap = a;
      a = b;
      b = swap;
    }
    // If another thread moved a meanwhile, its new parent and b still have to be joined.
    const int32_t old = atomicMin(parent + a, b);
    if (old == a) return;
    a = old;
  }
}

// One warp per word, one lane per pixel.
template <class E, bool kMap>
__global__ void pack_bits(View<E> pixels, View<E> bounds, Wide<E> scalar, Shape shape, Word* bits) {
  const int lane = static_cast<int>(threadIdx.x) & 31;
  const int64_t total = shape.rows() * shape.words;
  for (int64_t item = first_item() >> 5; item < total; item += item_step() >> 5) {
    const int64_t flat_row = item / shape.words;
    const int64_t image = flat_row / shape.height;
    const int64_t y = flat_row - image * shape.height;
    const int64_t x = (item - flat_row * shape.words) * 32 + lane;
    bool set = false;
    if (x < shape.width) set = pixels.at(image, y, x) >= (kMap ? bounds.at(image, y, x) : scalar);
    const Word word = __ballot_sync(kAllLanes, set);
    if (lane == 0) bits[item] = word;
  }
}

__global__ void start_nodes(Shape shape, Scratch scratch) {
  const int64_t total = shape.rows() * shape.words;
  for (int64_t item = first_item(); item < total; item += item_step()) {
    const Place at(shape, scratch, item);
    for (Word starts = starts_of(at.row, at.word); starts != 0; starts &= starts - 1) {
      const int32_t node = at.y * shape.width + 32 * at.word + __ffs(static_cast<int>(starts)) - 1;
      at.parent[node] = node;
      at.slot[node] = 0;
    }
  }
}

template <bool kEight>
__global__ void join_rows(Shape shape, Scratch scratch) {
  const int64_t total = shape.rows() * shape.words;
  for (int64_t item = first_item(); item < total; item += item_step()) {
    const Place at(shape, scratch, item);
    if (at.y == 0) continue;
    const Word* above = at.row - shape.words;
    const Word here = at.row[at.word], up = above[at.word];
    if (here == 0) continue;
    const Word here_left = word_or_zero(at.row, at.word - 1, shape.words) >> 31;
    const Word up_left = word_or_zero(above, at.word - 1, shape.words) >> 31;
    const int32_t base = at.y * shape.width, base_up = base - shape.width;
    // A stretch of pixels set in both rows belongs to one run of each: one union, at its first pixel.
    const Word both = here & up;
    for (Word bit = both & ~(both << 1 | (here_left & up_left)); bit != 0; bit &= bit - 1) {
      const int32_t x = 32 * at.word + __ffs(static_cast<int>(bit)) - 1;
      unite(at.parent, base + run_start(at.row, x), base_up + run_start(above, x));
    }
    if constexpr (kEight) {
      // Corner contacts that no such stretch covers: the pixel above and the neighbour here are both unset.
      const Word here_right = word_or_zero(at.row, at.word + 1, shape.words);
      const Word up_right = word_or_zero(above, at.word + 1, shape.words);
      const Word to_right = here & (up >> 1 | up_right << 31) & ~up & ~(here >> 1 | here_right << 31);
      for (Word bit = to_right; bit != 0; bit &= bit - 1) {
        const int32_t x = 32 * at.word + __ffs(static_cast<int>(bit)) - 1;
        unite(at.parent, base + run_start(at.row, x), base_up + x + 1);
      }
      const Word to_left = here & (up << 1 | up_left) & ~up & ~(here << 1 | here_left);
      for (Word bit = to_left; bit != 0; bit &= bit - 1) {
        const int32_t x = 32 * at.word + __ffs(static_cast<int>(bit)) - 1;
        unite(at.parent, base + x, base_up + run_start(above, x - 1));
      }
    }
  }
}

__global__ void sum_areas(Shape shape, Scratch scratch) {
  const int64_t total = shape.rows() * shape.words;
  for (int64_t item = first_item(); item < total; item += item_step()) {
    const Place at(shape, scratch, item);
    for (Word starts = starts_of(at.row, at.word); starts != 0; starts &= starts - 1) {
      const int32_t x = 32 * at.word + __ffs(static_cast<int>(starts)) - 1;
      const int32_t node = at.y * shape.width + x;
      const int32_t root = find_root(at.parent, node);
      at.parent[node] = root;
      atomicAdd(at.slot + root, run_end(at.row, shape, x) - x);
    }
  }
}

// Run starts of one word that are roots of components to keep.
__device__ Word kept_roots(const Place& at, const Shape& shape, int64_t min_area) {
  Word kept = 0;
  for (Word starts = starts_of(at.row, at.word); starts != 0; starts &= starts - 1) {
    const int32_t node = at.y * shape.width + 32 * at.word + __ffs(static_cast<int>(starts)) - 1;
    if (at.parent[node] == node && at.slot[node] >= min_area) kept |= starts & (~starts + 1);
  }
  return kept;
}

}  // namespace components_cuda
}  // namespace mmcount
