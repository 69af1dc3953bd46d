// Run-based labelling. Each row becomes runs; a two-pointer sweep joins them to the runs of the row above; a
// union-find over provisional labels keeps the smallest label as the root. Provisional labels are handed out in raster
// order, so ascending roots are the components in the raster order of their first pixels, with no sort.
#include "components_label.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace mmcount {
namespace {

class Labeller {
 public:
  Labeller(const ImageView& image, const LabelOptions& options) : image_(image), options_(options) {
    // A run needs a pixel and a gap. The previous row is followed by a sentinel run past every pixel.
    const std::size_t room = static_cast<std::size_t>(image.width + 1 + kEdgeSlack);
    for (auto& row : edges_) row.resize(room + 2);
    for (auto& row : labels_) row.resize(room / 2 + 1);
  }

  ImageComponents run() {
    ImageComponents result;
    if (options_.want_labels) result.row_begin.reserve(static_cast<std::size_t>(image_.height) + 1);
    for (int64_t y = 0; y < image_.height; ++y) {
      int32_t* edges = edges_[y & 1].data();
      int32_t* labels = labels_[y & 1].data();
      const int32_t* above = edges_[(y & 1) ^ 1].data();
      const char* pixels = image_.pixels + y * image_.pixel_row_bytes;
      const RowThreshold threshold{image_.scalar, image_.map ? image_.map + y * image_.map_row_bytes : nullptr};
      const int64_t count = options_.kernels.find_runs(pixels, threshold, image_.width, edges);
      set_sentinel(edges, count);
      if (y == 0) above = edges + 2 * count;  // nothing but the sentinel
      join_row(static_cast<int32_t>(y), edges, labels, count, above, labels_[(y & 1) ^ 1].data());
      if (options_.want_scores) add_scores(pixels, edges, labels, count);
      if (options_.want_labels) keep_runs(result, edges, labels, count);
    }
    number(result);
    return result;
  }

 private:
  static constexpr int32_t kFar = std::numeric_limits<int32_t>::max() - 1;  // one more still fits

  static void set_sentinel(int32_t* edges, int64_t count) {
    edges[2 * count] = kFar;
    edges[2 * count + 1] = kFar;
  }

  int32_t find(int32_t label) {
    while (parent_[label] != label) {
      parent_[label] = parent_[parent_[label]];
      label = parent_[label];
    }
    return label;
  }

  // The larger root hands its statistics over, so a live root always holds the whole of its component.
  int32_t unite(int32_t a, int32_t b) {
    if (a > b) std::swap(a, b);
    parent_[b] = a;
    Component& to = components_[a];
    const Component& from = components_[b];
    to.area += from.area;
    to.sum_x2 += from.sum_x2;
    to.sum_y += from.sum_y;
    to.sum_score += from.sum_score;
    to.left = std::min(to.left, from.left);
    to.right = std::max(to.right, from.right);
    to.top = std::min(to.top, from.top);
    to.bottom = std::max(to.bottom, from.bottom);
    return a;
  }

  int32_t new_label(int32_t y) {
    const auto label = static_cast<int32_t>(components_.size());
    parent_.push_back(label);
    components_.push_back({0, 0, 0, 0.0, kFar, y, 0, 0});
    return label;
  }

  void join_row(int32_t y, const int32_t* edges, int32_t* labels, int64_t count, const int32_t* above,
                const int32_t* above_labels) {
    // With 8-connectivity runs that only meet at a corner touch too: one pixel more on either side.
    const int32_t reach = options_.eight_connected ? 1 : 0;
    int64_t p = 0;
    for (int64_t k = 0; k < count; ++k) {
      const int32_t first = edges[2 * k];
      const int32_t last = edges[2 * k + 1];
      while (above[2 * p + 1] + reach <= first) ++p;
      int32_t label;
      if (above[2 * p] < last + reach) {
        label = find(above_labels[p]);
        // The last run that touches may also touch the next run of this row, so p stays on it.
        while (above[2 * (p + 1)] < last + reach) {
          const int32_t other = find(above_labels[++p]);
          if (other != label) label = unite(label, other);
        }
      } else {
        label = new_label(y);
      }
      labels[k] = label;
      const int64_t length = last - first;
      Component& component = components_[label];
      component.area += length;
      component.sum_x2 += (static_cast<int64_t>(first) + last - 1) * length;
      component.sum_y += y * length;
      component.left = std::min(component.left, first);
      component.right = std::max(component.right, last);
      component.bottom = y + 1;
    }
  }

  void add_scores(const char* pixels, const int32_t* edges, const int32_t* labels, int64_t count) {
    for (int64_t k = 0; k < count; ++k) {
      // A later run of the same row may have merged this label away.
      const int32_t label = find(labels[k]);
      components_[label].sum_score += options_.kernels.sum_run(pixels, edges[2 * k], edges[2 * k + 1]);
    }
  }

  void keep_runs(ImageComponents& result, const int32_t* edges, const int32_t* labels, int64_t count) {
    result.row_begin.push_back(static_cast<int64_t>(result.runs.size()));
    for (int64_t k = 0; k < count; ++k) result.runs.push_back({edges[2 * k], edges[2 * k + 1], labels[k]});
  }

  void number(ImageComponents& result) {
    std::vector<int32_t> numbers(options_.want_labels ? components_.size() : 0);
    std::size_t kept = 0;
    for (std::size_t label = 0; label < components_.size(); ++label) {
      if (parent_[label] != static_cast<int32_t>(label)) continue;
      const bool keep = components_[label].area >= options_.min_area;
      if (keep) components_[kept++] = components_[label];
      if (options_.want_labels) numbers[label] = keep ? static_cast<int32_t>(kept) : 0;
    }
    if (options_.want_labels) {
      result.row_begin.push_back(static_cast<int64_t>(result.runs.size()));
      for (Run& run : result.runs) run.label = numbers[find(run.label)];
    }
    components_.resize(kept);
    result.components = std::move(components_);
  }

  const ImageView& image_;
  const LabelOptions& options_;
  std::vector<int32_t> edges_[2];
  std::vector<int32_t> labels_[2];
  std::vector<int32_t> parent_;
  std::vector<Component> components_;
};

}  // namespace

ImageComponents label_image(const ImageView& image, const LabelOptions& options) {
  return Labeller(image, options).run();
}

}  // namespace mmcount
