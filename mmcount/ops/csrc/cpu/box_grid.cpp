// mmcount::average_precision_grid on CPU.
#include "box_grid.h"
#include "common.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

namespace mmcount {
namespace {

using namespace box_grid;

constexpr double kSpacing = std::numeric_limits<double>::epsilon();

void check(const Tensor& x, const char* name, ScalarType type, std::initializer_list<int64_t> shape) {
  bool same = x.scalar_type() == type && x.dim() == static_cast<int64_t>(shape.size());
  int64_t axis = 0;
  for (const int64_t size : shape) same = same && x.size(axis++) == size;
  STD_TORCH_CHECK(same, "average_precision_grid: wrong shape or type of ", name);
}

template <class T>
const T* data(const Tensor& x) {
  return static_cast<const T*>(x.const_data_ptr());
}

// Precision over recall of one class and subset, in all cells.
class Curves {
 public:
  Curves(int cells, const double* recall_thrs, int64_t num_recall)
      : recall_thrs_(recall_thrs), num_recall_(num_recall), precision_(cells), ignored_(cells) {}

  // `order`: detections of the class by falling score.
  void run(const Outcomes& outcomes, const std::vector<int64_t>& order, const Cells& all, int64_t num_gt, double* ap,
           double* recall) {
    for (auto& values : precision_) values.clear();
    std::fill(ignored_.begin(), ignored_.end(), 0);
    int64_t seen = 0;
    for (const int64_t row : order) {
      const Cells& ignored = outcomes.ignored[row];
      if (ignored == all) continue;
      ++seen;
      ignored.each([&](int cell) { ++ignored_[cell]; });
      // Precision matters only where recall grows: at the detections that are right.
      outcomes.right[row].each([&](int cell) {
        const double right = static_cast<double>(precision_[cell].size() + 1);
        const double wrong = static_cast<double>(seen - ignored_[cell]) - right;
        precision_[cell].push_back(right / (wrong + right + kSpacing));
      });
    }
    set_needed(num_gt);
    for (std::size_t cell = 0; cell < precision_.size(); ++cell) {
      std::vector<double>& values = precision_[cell];
      for (std::size_t i = values.size(); i-- > 1;) values[i - 1] = std::max(values[i - 1], values[i]);
      double sum = 0;
      for (const std::size_t needed : needed_) {
        if (needed > values.size()) break;
        sum += values[needed - 1];
      }
      ap[cell] = sum / static_cast<double>(num_recall_);
      recall[cell] = static_cast<double>(values.size()) / static_cast<double>(num_gt);
    }
  }

 private:
  // How many have to be right to reach each recall.
  void set_needed(int64_t num_gt) {
    needed_.resize(static_cast<std::size_t>(num_recall_));
    std::size_t right = 1;
    for (int64_t i = 0; i < num_recall_; ++i) {
      // No more than num_gt can be right, whatever the threshold.
      while (right <= static_cast<std::size_t>(num_gt) &&
             static_cast<double>(right) / static_cast<double>(num_gt) < recall_thrs_[i]) {
        ++right;
      }
      needed_[static_cast<std::size_t>(i)] = right;
    }
  }

  const double* recall_thrs_;
  int64_t num_recall_;
  std::vector<std::vector<double>> precision_;  // of each cell, at the detections that are right
  std::vector<int64_t> ignored_;
  std::vector<std::size_t> needed_;
};

std::vector<int64_t> by_score(const Group* first, const Group* last, const double* scores) {
  std::vector<double> mine;
  for (const Group* group = first; group != last; ++group) {
    mine.insert(mine.end(), scores + group->pred_begin, scores + group->pred_end);
  }
  std::vector<int64_t> order(mine.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return mine[a] > mine[b]; });
  return order;
}

std::vector<Group> read_groups(const Tensor& groups, int64_t num_pred, int64_t num_gt, int64_t num_classes) {
  const int64_t* rows = data<int64_t>(groups);
  std::vector<Group> list(static_cast<std::size_t>(groups.size(0)));
  int64_t label = 0, free = 0;  // no detection is in two groups: threads write what each of them takes
  for (std::size_t i = 0; i < list.size(); ++i, rows += 5) {
    list[i] = {rows[0], rows[1], rows[2], rows[3], rows[4]};
    const Group& one = list[i];
    STD_TORCH_CHECK(label <= one.label && one.label < num_classes && free <= one.pred_begin &&
                        one.pred_begin <= one.pred_end && one.pred_end <= num_pred && 0 <= one.gt_begin &&
                        one.gt_begin <= one.gt_end && one.gt_end <= num_gt,
                    "average_precision_grid: group ", i, " is out of order or range");
    label = one.label;
    free = one.pred_end;
  }
  return list;
}

std::tuple<Tensor, Tensor, Tensor> average_precision_grid(
    const Tensor pred_boxes, const Tensor pred_scores, const Tensor pred_counts, const Tensor pred_outside,
    const Tensor gt_boxes, const Tensor gt_counts, const Tensor gt_crowd, const Tensor gt_outside, const Tensor groups,
    const Tensor iou_thrs, const Tensor count_thrs, const Tensor recall_thrs, int64_t num_classes) {
  STD_TORCH_CHECK(pred_outside.dim() == 2 && gt_boxes.dim() == 2 && iou_thrs.dim() == 1 && count_thrs.dim() == 1 &&
                      recall_thrs.dim() == 1 && groups.dim() == 2,
                  "average_precision_grid: wrong number of dimensions");
  const int64_t subsets = pred_outside.size(0), num_pred = pred_outside.size(1), num_gt = gt_boxes.size(0);
  check(pred_boxes, "pred_boxes", ScalarType::Double, {num_pred, 4});
  check(pred_scores, "pred_scores", ScalarType::Double, {num_pred});
  check(pred_counts, "pred_counts", ScalarType::Double, {num_pred});
  check(pred_outside, "pred_outside", ScalarType::Bool, {subsets, num_pred});
  check(gt_boxes, "gt_boxes", ScalarType::Double, {num_gt, 4});
  check(gt_counts, "gt_counts", ScalarType::Double, {num_gt});
  check(gt_crowd, "gt_crowd", ScalarType::Bool, {num_gt});
  check(gt_outside, "gt_outside", ScalarType::Bool, {subsets, num_gt});
  check(groups, "groups", ScalarType::Long, {groups.size(0), 5});
  check(iou_thrs, "iou_thrs", ScalarType::Double, {iou_thrs.size(0)});
  check(count_thrs, "count_thrs", ScalarType::Double, {count_thrs.size(0)});
  check(recall_thrs, "recall_thrs", ScalarType::Double, {recall_thrs.size(0)});
  STD_TORCH_CHECK(iou_thrs.size(0) * count_thrs.size(0) <= Cells::kMax, "average_precision_grid: more than ",
                  Cells::kMax, " pairs of thresholds");

  const auto dense = [](const Tensor& x) { return torch::stable::contiguous(x); };
  const Tensor p_boxes = dense(pred_boxes), p_scores = dense(pred_scores), p_counts = dense(pred_counts),
               p_outside = dense(pred_outside), g_boxes = dense(gt_boxes), g_counts = dense(gt_counts),
               g_crowd = dense(gt_crowd), g_outside = dense(gt_outside), rows = dense(groups), t_iou = dense(iou_thrs),
               t_count = dense(count_thrs), t_recall = dense(recall_thrs);
  const Boxes pred{data<double>(p_boxes), data<double>(p_counts), data<bool>(p_outside), num_pred};
  const Boxes gt{data<double>(g_boxes), data<double>(g_counts), data<bool>(g_outside), num_gt};
  const bool* crowd = data<bool>(g_crowd);
  const double* scores = data<double>(p_scores);
  const Thresholds thresholds{data<double>(t_iou), static_cast<int>(t_iou.size(0)), data<double>(t_count),
                              static_cast<int>(t_count.size(0))};
  const std::vector<Group> list = read_groups(rows, num_pred, num_gt, num_classes);

  const int cells = thresholds.cells();
  Cells all;
  for (int cell = 0; cell < cells; ++cell) all.add(cell);
  const int64_t per_class = subsets * cells;
  Tensor ap = torch::stable::new_empty(p_boxes, {num_classes, subsets, t_iou.size(0), t_count.size(0)});
  Tensor recall = torch::stable::new_empty(p_boxes, {num_classes, subsets, t_iou.size(0), t_count.size(0)});
  Tensor matches = torch::stable::new_empty(p_boxes, {num_pred}, ScalarType::Long);
  double* ap_out = static_cast<double*>(ap.mutable_data_ptr());
  double* recall_out = static_cast<double*>(recall.mutable_data_ptr());
  int64_t* match_out = static_cast<int64_t*>(matches.mutable_data_ptr());
  std::fill(ap_out, ap_out + num_classes * per_class, std::numeric_limits<double>::quiet_NaN());
  std::fill(recall_out, recall_out + num_classes * per_class, std::numeric_limits<double>::quiet_NaN());
  std::fill(match_out, match_out + num_pred, int64_t{-1});

  const double per_pred = 1e2 * static_cast<double>(subsets * num_pred) / static_cast<double>(num_classes + 1);
  parallel(num_classes, 1e2 * static_cast<double>(per_class) + per_pred, [&](int64_t class_begin, int64_t class_end) {
    Curves curves(cells, data<double>(t_recall), t_recall.size(0));
    Outcomes outcomes;
    const auto below = [](const Group& group, int64_t label) { return group.label < label; };
    const Group* const end = list.data() + list.size();
    for (int64_t label = class_begin; label < class_end; ++label) {
      const Group* first = std::lower_bound(list.data(), end, label, below);
      const Group* last = std::lower_bound(first, end, label + 1, below);
      const bool empty = std::all_of(first, last, [](const Group& one) { return one.gt_begin == one.gt_end; });
      if (empty) continue;
      const CandidateRows candidates = find_candidates(first, last, pred, gt, crowd, thresholds);
      const std::vector<int64_t> order = by_score(first, last, scores);
      for (int64_t subset = 0; subset < subsets; ++subset) {
        const bool* gt_out = gt.outside + subset * num_gt;
        int64_t inside = 0;
        for (const Group* group = first; group != last; ++group) {
          inside += std::count(gt_out + group->gt_begin, gt_out + group->gt_end, false);
        }
        if (inside == 0) continue;
        match(first, last, candidates, pred.outside + subset * num_pred, gt_out, crowd, all, outcomes,
              subset == 0 ? match_out : nullptr);
        const int64_t at = label * per_class + subset * cells;
        curves.run(outcomes, order, all, inside, ap_out + at, recall_out + at);
      }
    }
  });
  return {ap, recall, matches};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(mmcount, CPU, m) {
  m.impl("average_precision_grid", TORCH_BOX(&average_precision_grid));
}

}  // namespace mmcount
