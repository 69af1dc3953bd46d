// Shared by every kernel file. Only LibTorch's stable ABI is used (torch/csrc/stable, torch/headeronly).
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Exception.h>
#include <torch/headeronly/util/Half.h>

#include <cstdint>

namespace mmcount {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// A parallel region costs tens of microseconds to enter, so ranges below about 1 ms of work stay on one thread.
// `ns_per_item` is a rough cost estimate; `f(begin, end)` handles a sub-range.
template <class F>
void parallel(int64_t items, double ns_per_item, const F& f) {
  if (items <= 0) return;
  const double grain = 1e6 / (ns_per_item > 1e-3 ? ns_per_item : 1e-3);
  if (static_cast<double>(items) < 2 * grain || torch::stable::get_num_threads() == 1) {
    f(int64_t{0}, items);
    return;
  }
  torch::stable::parallel_for(0, items, grain < 1 ? 1 : static_cast<int64_t>(grain), f);
}

}  // namespace mmcount
