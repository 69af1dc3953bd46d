// Maximum-cardinality matching by augmenting paths, in the order of the NWPU-Crowd protocol: predictions as given,
// ground truths ascending, depth first. The order decides WHICH ground truths are matched, which per-level recall
// depends on, so it is kept; Hopcroft-Karp would reach the same number of pairs with another set.
//
// A search that fails has closed off everything it visited: no later search can reach a free ground truth from there
// (the trees of failed searches stay failed). Marking those ground truths dead skips them for good and leaves the
// result as it was.
#include "matching_graph.h"

namespace mmcount {
namespace {

class AugmentingPaths {
 public:
  AugmentingPaths(const SparseRows& adjacency, int64_t gt_count)
      : adjacency_(adjacency),
        pred_of_(static_cast<std::size_t>(gt_count), -1),
        visited_by_(static_cast<std::size_t>(gt_count), -1),
        cursor_(adjacency.begin.begin(), adjacency.begin.end() - 1) {}

  std::vector<int32_t> run() {
    const auto count = static_cast<int32_t>(adjacency_.rows());
    for (int32_t pred = 0; pred < count; ++pred) {
      if (!augment(pred)) {
        for (const int32_t gt : trail_) visited_by_[gt] = kDead;
      }
      for (const int32_t seen : reached_) cursor_[seen] = adjacency_.begin[seen];
    }
    return std::move(pred_of_);
  }

 private:
  static constexpr int32_t kDead = -2;

  bool augment(int32_t root) {
    trail_.clear();
    reached_.assign(1, root);
    path_.assign(1, root);
    while (!path_.empty()) {
      const int32_t pred = path_.back();
      int64_t& edge = cursor_[pred];
      if (edge == adjacency_.begin[pred + 1]) {
        path_.pop_back();
        continue;
      }
      const int32_t gt = adjacency_.target[edge++];
      if (visited_by_[gt] == root || visited_by_[gt] == kDead) continue;
      visited_by_[gt] = root;
      trail_.push_back(gt);
      if (pred_of_[gt] < 0) {
        for (const int32_t on_path : path_) pred_of_[adjacency_.target[cursor_[on_path] - 1]] = on_path;
        return true;
      }
      path_.push_back(pred_of_[gt]);
      reached_.push_back(pred_of_[gt]);
    }
    return false;
  }

  const SparseRows& adjacency_;
  std::vector<int32_t> pred_of_;     // per ground truth
  std::vector<int32_t> visited_by_;  // per ground truth: root of the last search that came by, or kDead
  std::vector<int64_t> cursor_;      // per prediction: next edge to try
  std::vector<int32_t> path_, reached_, trail_;
};

}  // namespace

std::vector<int32_t> match_cardinality(const SparseRows& pred_to_gt, int64_t gt_count) {
  return AugmentingPaths(pred_to_gt, gt_count).run();
}

}  // namespace mmcount
