// Bipartite graph of the predictions that lie within the radius of each ground truth. Torch-free.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mmcount {

// Compressed rows: the neighbours of row i are target[begin[i] .. begin[i + 1]).
struct SparseRows {
  std::vector<int64_t> begin;
  std::vector<int32_t> target;
  std::vector<double> distance;

  int64_t rows() const { return static_cast<int64_t>(begin.size()) - 1; }
};

struct Points {
  const double* xy;  // interleaved x, y
  int64_t count;
};

// Edges (ground truth -> prediction) with distance <= radius[gt], neighbours of one ground truth in grid order.
SparseRows edges_within(Points pred, Points gt, const double* radius, bool want_distances);

// The same edges seen from the predictions; ground truths ascend within each row. Drops the distances.
SparseRows transpose(const SparseRows& edges, int64_t columns);

// Both return the prediction matched to each ground truth, or -1.
std::vector<int32_t> match_cardinality(const SparseRows& pred_to_gt, int64_t gt_count);
std::vector<int32_t> match_cost(const SparseRows& gt_to_pred, int64_t pred_count);

}  // namespace mmcount
