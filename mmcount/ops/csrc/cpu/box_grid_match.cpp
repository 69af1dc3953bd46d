// Candidate pairs of detections and ground truth, and their greedy matching in all cells at once.
#include "box_grid.h"

#include <algorithm>
#include <cmath>

namespace mmcount::box_grid {
namespace {

// Counts are whole numbers below 1e6, so that accuracies differ from a threshold by far more, or not at all.
constexpr double kAccuracySlack = 1e-9;

// The order of operations is that of COCO's own C code, so that equal numbers come out equal to the last bit.
double overlap(const double* pred, const double* gt, bool crowd) {
  const double width = std::min(pred[0] + pred[2], gt[0] + gt[2]) - std::max(pred[0], gt[0]);
  if (!(width > 0)) return 0;
  const double height = std::min(pred[1] + pred[3], gt[1] + gt[3]) - std::max(pred[1], gt[1]);
  if (!(height > 0)) return 0;
  const double shared = width * height;
  const double area = pred[2] * pred[3];
  return shared / (crowd ? area : area + gt[2] * gt[3] - shared);
}

int passed(const double* thresholds, int number, double value) {
  int level = 0;
  while (level < number && value >= thresholds[level]) ++level;
  return level;
}

std::vector<Cells> rectangles(const Thresholds& thresholds) {
  const int columns = thresholds.num_count + 1;
  std::vector<Cells> table(static_cast<std::size_t>(thresholds.num_iou + 1) * columns);
  for (int i = 1; i <= thresholds.num_iou; ++i) {
    for (int c = 1; c < columns; ++c) {
      for (int row = 0; row < i; ++row) {
        for (int column = 0; column < c; ++column) table[i * columns + c].add(row * thresholds.num_count + column);
      }
    }
  }
  return table;
}

// The highest IoU goes first, then the better count, then the later row.
bool preferred(const Candidate& one, const Candidate& other) {
  if (one.iou != other.iou) return one.iou > other.iou;
  if (one.accuracy != other.accuracy) return one.accuracy > other.accuracy;
  return one.gt > other.gt;
}

}  // namespace

CandidateRows find_candidates(const Group* first, const Group* last, const Boxes& pred, const Boxes& gt,
                              const bool* crowd, const Thresholds& thresholds) {
  const std::vector<Cells> table = rectangles(thresholds);
  CandidateRows rows;
  for (const Group* group = first; group != last; ++group) {
    for (int64_t p = group->pred_begin; p < group->pred_end; ++p) {
      const std::size_t begin = rows.items.size();
      rows.begin.push_back(static_cast<int64_t>(begin));
      for (int64_t g = group->gt_begin; g < group->gt_end; ++g) {
        const double iou = overlap(pred.xywh + 4 * p, gt.xywh + 4 * g, crowd[g]);
        const int iou_level = passed(thresholds.iou, thresholds.num_iou, iou);
        if (iou_level == 0) continue;
        // Nobody counted a crowd: it takes any count.
        const double error = crowd[g] ? 0 : std::abs(pred.counts[p] - gt.counts[g]) / gt.counts[g];
        const double accuracy = std::max(0.0, 1 - error);
        const int count_level = passed(thresholds.count, thresholds.num_count, accuracy + kAccuracySlack);
        if (count_level == 0) continue;
        rows.items.push_back({g, iou, accuracy, table[iou_level * (thresholds.num_count + 1) + count_level]});
      }
      std::sort(rows.items.begin() + static_cast<std::ptrdiff_t>(begin), rows.items.end(), preferred);
    }
  }
  rows.begin.push_back(static_cast<int64_t>(rows.items.size()));
  return rows;
}

void match(const Group* first, const Group* last, const CandidateRows& rows, const bool* pred_outside,
           const bool* gt_outside, const bool* crowd, const Cells& all, Outcomes& out, int64_t* first_match) {
  const std::size_t size = rows.begin.size() - 1;
  out.right.assign(size, Cells{});
  out.ignored.assign(size, Cells{});
  std::vector<Cells> taken;
  std::size_t row = 0;
  for (const Group* group = first; group != last; ++group) {
    taken.assign(static_cast<std::size_t>(group->gt_end - group->gt_begin), Cells{});
    for (int64_t p = group->pred_begin; p < group->pred_end; ++p, ++row) {
      Cells open = all;
      // Ground truth outside of the subset is tried after all that is inside.
      for (const bool outside : {false, true}) {
        Cells& result = outside ? out.ignored[row] : out.right[row];
        for (int64_t i = rows.begin[row]; i < rows.begin[row + 1] && open.any(); ++i) {
          const Candidate& candidate = rows.items[i];
          if (gt_outside[candidate.gt] != outside) continue;
          Cells& used = taken[candidate.gt - group->gt_begin];
          const Cells hit = (candidate.cells & open).without(used);
          if (!hit.any()) continue;
          if (!crowd[candidate.gt]) used = used | hit;
          open = open.without(hit);
          result = result | hit;
          if (first_match != nullptr && !outside && hit.has(0)) first_match[p] = candidate.gt;
        }
      }
      if (pred_outside[p]) out.ignored[row] = out.ignored[row] | open;
    }
  }
}

}  // namespace mmcount::box_grid
