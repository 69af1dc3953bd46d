// Connected components of one thresholded image, without a mask or label image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "components_rows.h"

namespace mmcount {

// Closed-form statistics of a component, accumulated run by run.
struct Component {
  int64_t area;
  int64_t sum_x2;  // twice the sum of x: a run of n pixels from a to b adds (a + b) * n
  int64_t sum_y;
  double sum_score;
  int32_t left, top, right, bottom;  // right and bottom are one past the last pixel
};

struct Run {
  int32_t first, last;  // pixels [first, last)
  int32_t label;
};

// One image: `pixels` and `map` advance by their row strides (in bytes).
struct ImageView {
  const char* pixels;
  int64_t pixel_row_bytes;
  const char* map;  // null: the scalar threshold applies
  int64_t map_row_bytes;
  double scalar;
  int64_t height, width;
};

struct LabelOptions {
  RowKernels kernels;
  bool eight_connected;
  bool want_scores;  // false: the sum of scores is the area
  bool want_labels;
  int64_t min_area;
};

struct ImageComponents {
  std::vector<Component> components;  // raster order of the first pixel, min_area applied
  // Only with want_labels: runs of row y are runs[row_begin[y] .. row_begin[y + 1]), label 0 is background.
  std::vector<Run> runs;
  std::vector<int64_t> row_begin;
};

ImageComponents label_image(const ImageView& image, const LabelOptions& options);

}  // namespace mmcount
