// Least total distance among the matchings of maximum cardinality: shortest augmenting paths with potentials on the
// sparse graph (Jonker and Volgenant, 1987). Every ground truth also owns a private dummy that costs more than any
// set of real edges, so all rows can be assigned, dummies are used only where cardinality forces it, and a row that
// took its dummy is never displaced again.
#include "matching_graph.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

namespace mmcount {
namespace {

constexpr int32_t kFree = -1;
constexpr int32_t kDummy = -2;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Assignment {
 public:
  Assignment(const SparseRows& edges, int64_t columns)
      : edges_(edges),
        column_of_(static_cast<std::size_t>(edges.rows()), kFree),
        row_of_(static_cast<std::size_t>(columns), kFree),
        row_price_(static_cast<std::size_t>(edges.rows()), 0.0),
        column_price_(static_cast<std::size_t>(columns), 0.0),
        length_(static_cast<std::size_t>(columns), kInfinity),
        parent_(static_cast<std::size_t>(columns), kFree),
        settled_(static_cast<std::size_t>(columns), 0) {
    double total = 0;
    for (int64_t row = 0; row < edges.rows(); ++row) {
      double longest = 0;
      for (int64_t e = edges.begin[row]; e < edges.begin[row + 1]; ++e) longest = std::max(longest, edges.distance[e]);
      total += longest;
    }
    dummy_cost_ = 2 * total + 1;
  }

  std::vector<int32_t> run() {
    std::vector<int32_t> open;
    for (int32_t row = 0; row < static_cast<int32_t>(edges_.rows()); ++row) {
      if (edges_.begin[row] == edges_.begin[row + 1]) {
        column_of_[row] = kDummy;
      } else {
        open.push_back(row);
      }
    }
    open = bid(std::move(open));
    for (const int32_t row : open) augment(row);
    for (int32_t& column : column_of_) column = column == kDummy ? kFree : column;
    return std::move(column_of_);
  }

 private:
  // Augmenting row reduction: each open row takes its cheapest column, raises that column's price to the point where
  // the second cheapest would do as well, and sends the previous owner back. Settles most rows without any search.
  std::vector<int32_t> bid(std::vector<int32_t> open) {
    std::vector<int32_t> unsettled;
    int64_t budget = 8 * static_cast<int64_t>(open.size());
    std::reverse(open.begin(), open.end());
    while (!open.empty()) {
      const int32_t row = open.back();
      open.pop_back();
      if (--budget < 0) {
        unsettled.push_back(row);
        continue;
      }
      double best = kInfinity, second = dummy_cost_;
      int32_t column = kFree;
      for (int64_t e = edges_.begin[row]; e < edges_.begin[row + 1]; ++e) {
        const double cost = edges_.distance[e] - column_price_[edges_.target[e]];
        if (cost < best) {
          second = std::min(second, best);
          best = cost;
          column = edges_.target[e];
        } else {
          second = std::min(second, cost);
        }
      }
      if (best >= dummy_cost_) {
        row_price_[row] = dummy_cost_;
        column_of_[row] = kDummy;
        continue;
      }
      row_price_[row] = second;
      column_price_[column] -= second - best;
      const int32_t owner = row_of_[column];
      if (owner != kFree && !(second > best)) {  // a tie: bidding again would go on for ever
        unsettled.push_back(row);
        continue;
      }
      if (owner != kFree) {
        column_of_[owner] = kFree;
        open.push_back(owner);
      }
      row_of_[column] = row;
      column_of_[row] = column;
    }
    return unsettled;
  }

  // Dijkstra over reduced costs from an open row to the nearest free column or dummy, then the price update that keeps
  // reduced costs non-negative and matched edges tight.
  void augment(int32_t source) {
    touched_.clear();
    rows_.assign(1, {source, 0.0});
    heap_ = {};
    row_price_[source] = cheapest(source);
    double dummy_length = dummy_cost_ - row_price_[source];
    int32_t dummy_row = source, end = kFree;
    relax(source, 0.0);
    double length = dummy_length;
    while (!heap_.empty()) {
      const auto [next, column] = heap_.top();
      if (next >= dummy_length) break;
      heap_.pop();
      if (settled_[column]) continue;
      const int32_t row = row_of_[column];
      if (row == kFree) {
        end = column;
        length = next;
        break;
      }
      settled_[column] = 1;
      rows_.push_back({row, next});
      const double to_dummy = next + dummy_cost_ - row_price_[row];
      if (to_dummy < dummy_length) {
        dummy_length = to_dummy;
        dummy_row = row;
      }
      relax(row, next);
    }
    if (end == kFree) length = dummy_length;
    for (const auto& [row, reached] : rows_) row_price_[row] += length - reached;
    for (const int32_t column : touched_) {
      if (settled_[column]) column_price_[column] -= length - length_[column];
    }
    int32_t column = end;
    if (end == kFree) {  // the row that takes its dummy gives its column up
      column = column_of_[dummy_row];
      column_of_[dummy_row] = kDummy;
    }
    if (!(end == kFree && dummy_row == source)) shift(column, source);
    for (const int32_t seen : touched_) {
      length_[seen] = kInfinity;
      settled_[seen] = 0;
    }
  }

  double cheapest(int32_t row) const {
    double best = dummy_cost_;
    for (int64_t e = edges_.begin[row]; e < edges_.begin[row + 1]; ++e) {
      best = std::min(best, edges_.distance[e] - column_price_[edges_.target[e]]);
    }
    return best;
  }

  void relax(int32_t row, double reached) {
    const double offset = reached - row_price_[row];
    for (int64_t e = edges_.begin[row]; e < edges_.begin[row + 1]; ++e) {
      const int32_t column = edges_.target[e];
      const double length = offset + edges_.distance[e] - column_price_[column];
      if (settled_[column] || length >= length_[column]) continue;
      if (length_[column] == kInfinity) touched_.push_back(column);
      // Rounding may make a tight edge look shorter than the path so far.
      length_[column] = std::max(length, reached);
      parent_[column] = row;
      heap_.push({length_[column], column});
    }
  }

  // Reassigns along the parents from `column` back to `source`.
  void shift(int32_t column, int32_t source) {
    while (true) {
      const int32_t row = parent_[column];
      const int32_t previous = column_of_[row];
      row_of_[column] = row;
      column_of_[row] = column;
      if (row == source) return;
      column = previous;
    }
  }

  using Entry = std::pair<double, int32_t>;
  struct Reached {
    int32_t row;
    double length;
  };

  const SparseRows& edges_;
  double dummy_cost_ = 0;
  std::vector<int32_t> column_of_, row_of_;
  std::vector<double> row_price_, column_price_, length_;
  std::vector<int32_t> parent_;
  std::vector<char> settled_;
  std::vector<int32_t> touched_;
  std::vector<Reached> rows_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<Entry>> heap_;
};

}  // namespace

std::vector<int32_t> match_cost(const SparseRows& gt_to_pred, int64_t pred_count) {
  return Assignment(gt_to_pred, pred_count).run();
}

}  // namespace mmcount
