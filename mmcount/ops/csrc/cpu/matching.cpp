// mmcount::match_points on CPU.
#include "common.h"
#include "matching_graph.h"

#include <limits>
#include <vector>

namespace mmcount {
namespace {

Points points_of(const Tensor& x) {
  return {static_cast<const double*>(x.const_data_ptr()), x.size(0)};
}

void check_points(const Tensor& x, const char* name) {
  STD_TORCH_CHECK(x.dim() == 2 && x.size(1) == 2 && x.scalar_type() == ScalarType::Double,
                  "match_points: expected float64 points of shape (N, 2) for ", name);
  STD_TORCH_CHECK(x.size(0) < std::numeric_limits<int32_t>::max() / 16, "match_points: too many points in ", name);
}

Tensor match_points(const Tensor& pred, const Tensor& gt, const Tensor& radius, bool min_cost) {
  check_points(pred, "pred");
  check_points(gt, "gt");
  STD_TORCH_CHECK(radius.dim() == 1 && radius.size(0) == gt.size(0) && radius.scalar_type() == ScalarType::Double,
                  "match_points: expected one float64 radius per ground truth");
  const Tensor dense_pred = torch::stable::contiguous(pred);
  const Tensor dense_gt = torch::stable::contiguous(gt);
  const Tensor dense_radius = torch::stable::contiguous(radius);
  const SparseRows edges = edges_within(points_of(dense_pred), points_of(dense_gt),
                                        static_cast<const double*>(dense_radius.const_data_ptr()), min_cost);
  const std::vector<int32_t> pred_of = min_cost ? match_cost(edges, pred.size(0))
                                                : match_cardinality(transpose(edges, pred.size(0)), gt.size(0));
  std::vector<int32_t> gt_of(static_cast<std::size_t>(pred.size(0)), -1);
  int64_t count = 0;
  for (std::size_t g = 0; g < pred_of.size(); ++g) {
    if (pred_of[g] < 0) continue;
    gt_of[pred_of[g]] = static_cast<int32_t>(g);
    ++count;
  }
  Tensor pairs = torch::stable::new_empty(pred, {count, 2}, ScalarType::Long);
  int64_t* out = static_cast<int64_t*>(pairs.mutable_data_ptr());
  for (std::size_t p = 0; p < gt_of.size(); ++p) {
    if (gt_of[p] < 0) continue;
    *out++ = static_cast<int64_t>(p);
    *out++ = gt_of[p];
  }
  return pairs;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(mmcount, CPU, m) {
  m.impl("match_points", TORCH_BOX(&match_points));
}

}  // namespace mmcount
