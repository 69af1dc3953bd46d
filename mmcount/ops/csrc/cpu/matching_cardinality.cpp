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
      : adjacency_(adjacency), heads_(static_cast<std::size_t>(gt_count), Head{-1, -1}) {}

  std::vector<int32_t> run() {
    const auto count = static_cast<int32_t>(adjacency_.rows());
    for (int32_t pred = 0; pred < count; ++pred) {
      if (augment(pred)) continue;
      for (const int32_t gt : trail_) heads_[gt].visited_by = kDead;
    }
    std::vector<int32_t> pred_of(heads_.size());
    for (std::size_t gt = 0; gt < heads_.size(); ++gt) pred_of[gt] = heads_[gt].pred;
    return pred_of;
  }

 private:
  static constexpr int32_t kDead = -2;

  struct Head {  // a ground truth
    int32_t pred;
    int32_t visited_by;  // root of the last search that came by, or kDead
  };
  struct Step {  // a prediction on the path and the next of its edges to try
    int32_t pred;
    int64_t edge;
  };

  // An explicit stack: paths can be as long as there are points.
  bool augment(int32_t root) {
    trail_.clear();
    path_.assign(1, {root, adjacency_.begin[root]});
    while (!path_.empty()) {
      Step& step = path_.back();
      if (step.edge == adjacency_.begin[step.pred + 1]) {
        path_.pop_back();
        continue;
      }
      const int32_t gt = adjacency_.target[step.edge++];
      Head& head = heads_[gt];
      if (head.visited_by == root || head.visited_by == kDead) continue;
      head.visited_by = root;
      if (head.pred < 0) {
        for (const Step& on_path : path_) heads_[adjacency_.target[on_path.edge - 1]].pred = on_path.pred;
        return true;
      }
      trail_.push_back(gt);
      path_.push_back({head.pred, adjacency_.begin[head.pred]});
    }
    return false;
  }

  const SparseRows& adjacency_;
  std::vector<Head> heads_;
  std::vector<Step> path_;
  std::vector<int32_t> trail_;  // ground truths this search visited
};

}  // namespace

std::vector<int32_t> match_cardinality(const SparseRows& pred_to_gt, int64_t gt_count) {
  return AugmentingPaths(pred_to_gt, gt_count).run();
}

}  // namespace mmcount
