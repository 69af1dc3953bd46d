// Row kernels of find_components: threshold one image row straight into runs, and sum the values inside a run.
#pragma once

#include <cstdint>

namespace mmcount {

enum class Element : int { kUInt8, kHalf, kBFloat16, kFloat, kDouble };

// What a pixel is compared with. `scalar` is already in the element's compare type; `row` is one row of a map, or null.
struct RowThreshold {
  double scalar;
  const void* row;
};

// Writes the runs of `pixels >= threshold` as ascending pairs (first, one past last) and returns the number of runs.
// `edges` has room for width + 1 + kEdgeSlack entries; the slack lets vector code store whole registers.
using FindRuns = int64_t (*)(const void* pixels, const RowThreshold& threshold, int64_t width, int32_t* edges);

// Sum of pixels[first, last) in double precision.
using SumRun = double (*)(const void* pixels, int64_t first, int64_t last);

constexpr int64_t kEdgeSlack = 64;

struct RowKernels {
  FindRuns find_runs;
  SumRun sum_run;
};

// The fastest kernels the running CPU supports.
RowKernels select_row_kernels(Element element, bool threshold_is_map);

}  // namespace mmcount
