// Radius search on a counting-sort grid. Cells of one grid row lie next to each other, so a query reads one contiguous
// slice of the sorted predictions per grid row it touches, however large its radius is.
#include "matching_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mmcount {
namespace {

class Grid {
 public:
  Grid(Points points, double wanted_cell) {
    double high[2] = {-std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    for (int64_t i = 0; i < points.count; ++i) {
      for (int axis = 0; axis < 2; ++axis) {
        low_[axis] = std::min(low_[axis], points.xy[2 * i + axis]);
        high[axis] = std::max(high[axis], points.xy[2 * i + axis]);
      }
    }
    size_cells(high[0] - low_[0], high[1] - low_[1], wanted_cell, static_cast<double>(points.count));
    sort(points);
  }

  // Cell of a coordinate, clamped to the grid.
  int64_t cell(double value, int axis) const {
    const double index = (value - low_[axis]) * inverse_cell_;
    if (!(index > 0)) return 0;
    const int64_t last = shape_[axis] - 1;
    return index >= static_cast<double>(last) ? last : static_cast<int64_t>(index);
  }

  // Calls visit(first, last) with slices of the sorted points that cover the square of half-side `reach` at (x, y).
  template <class Visit>
  void slices(double x, double y, double reach, const Visit& visit) const {
    const int64_t left = cell(x - reach, 0), right = cell(x + reach, 0);
    const int64_t top = cell(y - reach, 1), bottom = cell(y + reach, 1);
    for (int64_t row = top; row <= bottom; ++row) {
      const int32_t* start = start_.data() + row * shape_[0];
      if (start[left] != start[right + 1]) visit(start[left], start[right + 1]);
    }
  }

  const std::vector<double>& x() const { return x_; }
  const std::vector<double>& y() const { return y_; }
  const std::vector<int32_t>& ids() const { return ids_; }

 private:
  // The wanted cell, unless that makes many more cells than points.
  void size_cells(double width, double height, double wanted, double count) {
    double cell = std::max({wanted, std::sqrt(width / (4 * count)) * std::sqrt(height), width / (4 * count),
                            height / (4 * count)});
    if (!(cell > 0)) cell = 1;
    inverse_cell_ = 1 / cell;
    shape_[0] = static_cast<int64_t>(std::min(width * inverse_cell_, 4 * count)) + 1;
    shape_[1] = static_cast<int64_t>(std::min(height * inverse_cell_, 4 * count)) + 1;
  }

  void sort(Points points) {
    std::vector<int32_t> cells(static_cast<std::size_t>(points.count));
    start_.assign(static_cast<std::size_t>(shape_[0] * shape_[1] + 2), 0);
    for (int64_t i = 0; i < points.count; ++i) {
      const int64_t at = cell(points.xy[2 * i + 1], 1) * shape_[0] + cell(points.xy[2 * i], 0);
      cells[i] = static_cast<int32_t>(at);
      ++start_[at + 2];
    }
    for (std::size_t i = 2; i < start_.size(); ++i) start_[i] += start_[i - 1];
    x_.resize(cells.size());
    y_.resize(cells.size());
    ids_.resize(cells.size());
    // start_[c + 1] is the next free slot of cell c while filling, and its end (the start of c + 1) afterwards.
    for (int64_t i = 0; i < points.count; ++i) {
      const int32_t slot = start_[cells[i] + 1]++;
      x_[slot] = points.xy[2 * i];
      y_[slot] = points.xy[2 * i + 1];
      ids_[slot] = static_cast<int32_t>(i);
    }
  }

  double low_[2] = {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  double inverse_cell_ = 1;
  int64_t shape_[2] = {1, 1};
  std::vector<int32_t> start_;
  std::vector<double> x_, y_;
  std::vector<int32_t> ids_;
};

// Median of at most 255 radii spread over the list: it only sets the size of the cells.
double typical(const double* values, int64_t count) {
  const int64_t step = (count + 254) / 255;
  std::vector<double> sample;
  for (int64_t i = 0; i < count; i += step) sample.push_back(values[i]);
  const auto middle = sample.begin() + static_cast<int64_t>(sample.size() / 2);
  std::nth_element(sample.begin(), middle, sample.end());
  return *middle;
}

}  // namespace

SparseRows edges_within(Points pred, Points gt, const double* radius, bool want_distances) {
  SparseRows edges;
  edges.begin.assign(static_cast<std::size_t>(gt.count) + 1, 0);
  if (pred.count == 0 || gt.count == 0) return edges;
  const Grid grid(pred, typical(radius, gt.count));
  const double* xs = grid.x().data();
  const double* ys = grid.y().data();
  const int32_t* ids = grid.ids().data();
  std::size_t found = 0;
  for (int64_t g = 0; g < gt.count; ++g) {
    const double x = gt.xy[2 * g], y = gt.xy[2 * g + 1], r = radius[g];
    // The slack keeps the rounding of x - reach from excluding a cell.
    const double reach = r + 1e-12 * (r + std::abs(x) + std::abs(y));
    grid.slices(x, y, reach, [&](int32_t first, int32_t last) {
      const std::size_t room = found + static_cast<std::size_t>(last - first);
      if (edges.target.size() < room) edges.target.resize(2 * room + static_cast<std::size_t>(2 * gt.count));
      if (want_distances && edges.distance.size() < room) edges.distance.resize(edges.target.size());
      // Whether a candidate is near enough is a coin toss: store always, advance if it is.
      for (int32_t i = first; i < last; ++i) {
        const double dx = xs[i] - x, dy = ys[i] - y;
        const double distance = std::sqrt(dx * dx + dy * dy);
        edges.target[found] = ids[i];
        if (want_distances) edges.distance[found] = distance;
        found += distance <= r;
      }
    });
    edges.begin[g + 1] = static_cast<int64_t>(found);
  }
  edges.target.resize(found);
  if (want_distances) edges.distance.resize(found);
  return edges;
}

SparseRows transpose(const SparseRows& edges, int64_t columns) {
  SparseRows result;
  result.begin.assign(static_cast<std::size_t>(columns) + 2, 0);
  result.target.resize(edges.target.size());
  for (const int32_t column : edges.target) ++result.begin[column + 2];
  for (std::size_t i = 2; i < result.begin.size(); ++i) result.begin[i] += result.begin[i - 1];
  for (int64_t row = 0; row < edges.rows(); ++row) {
    for (int64_t e = edges.begin[row]; e < edges.begin[row + 1]; ++e) {
      result.target[result.begin[edges.target[e] + 1]++] = static_cast<int32_t>(row);
    }
  }
  result.begin.pop_back();
  return result;
}

}  // namespace mmcount
