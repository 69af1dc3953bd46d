// Runs CUDA kernels on the CPU, for tests without a GPU: only what the kernels of mmcount.ops use.
//
// The threads of one block are coroutines in one operating-system thread; blocks run one after the other. A coroutine
// runs until it has to wait for its warp or its block, or, at some atomics, gives way; the next one is drawn at random.
// A missing barrier therefore shows as a wrong result, and lanes that miss a warp operation end the process.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static

using cudaStream_t = void*;
constexpr int cudaMemcpyDeviceToHost = 2;

inline void cudaMemcpyAsync(void* to, const void* from, std::size_t size, int, cudaStream_t) {
  std::memcpy(to, from, size);
}
inline void cudaStreamSynchronize(cudaStream_t) {}
inline void cudaGetLastError() {}

namespace emulation {

struct Index {
  unsigned x;
};

extern Index thread, block, block_size, grid_size;

void run(unsigned blocks, unsigned threads, const std::function<void()>& kernel);
void wait_for_block();
void give_way();

// Waits for the warp; then the values of all its lanes.
const uint64_t* exchange(uint64_t value);

template <class To, class From>
To bits_of(From value) {
  To bits{};
  std::memcpy(&bits, &value, sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
  return bits;
}

template <class T>
T lane_value(T value, int lane, bool valid = true) {
  const uint64_t* all = exchange(bits_of<uint64_t>(value));
  return valid ? bits_of<T>(all[lane]) : value;
}

inline void check_mask(unsigned mask) {
  if (mask == 0xffffffffu) return;
  std::fputs("emulation: only full warps are supported\n", stderr);
  std::abort();
}

// kernel<<<blocks, threads, shared, stream>>>(arguments) becomes launch(blocks, ..., kernel)(arguments).
template <class Kernel>
auto launch(unsigned blocks, unsigned threads, int /*shared*/, cudaStream_t /*stream*/, Kernel kernel) {
  return [=](auto... arguments) { run(blocks, threads, [&] { kernel(arguments...); }); };
}

}  // namespace emulation

#define threadIdx emulation::thread
#define blockIdx emulation::block
#define blockDim emulation::block_size
#define gridDim emulation::grid_size

inline void __syncthreads() { emulation::wait_for_block(); }

inline unsigned __ballot_sync(unsigned mask, bool vote) {
  emulation::check_mask(mask);
  const uint64_t* all = emulation::exchange(vote);
  unsigned votes = 0;
  for (int lane = 0; lane < 32; ++lane) votes |= static_cast<unsigned>(all[lane]) << lane;
  return votes;
}

inline bool __any_sync(unsigned mask, bool vote) { return __ballot_sync(mask, vote) != 0; }

template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  emulation::check_mask(mask);
  return emulation::lane_value(value, lane & 31);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, int step) {
  emulation::check_mask(mask);
  const int from = static_cast<int>(threadIdx.x & 31) + step;
  return emulation::lane_value(value, from, from < 32);
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, int step) {
  emulation::check_mask(mask);
  const int from = static_cast<int>(threadIdx.x & 31) - step;
  return emulation::lane_value(value, from, from >= 0);
}

inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value)); }
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline unsigned __float_as_uint(float value) { return emulation::bits_of<unsigned>(value); }
inline long long __double_as_longlong(double value) { return emulation::bits_of<long long>(value); }

template <class T>
T atomicAdd(T* address, T value) {
  emulation::give_way();
  const T old = *address;
  *address = old + value;
  return old;
}

template <class T>
T atomicMin(T* address, T value) {
  emulation::give_way();
  const T old = *address;
  if (value < old) *address = value;
  return old;
}

template <class T>
T atomicMax(T* address, T value) {
  emulation::give_way();
  const T old = *address;
  if (value > old) *address = value;
  return old;
}

template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}

template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}
