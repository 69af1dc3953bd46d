// mmcount::find_components on CPU: images of a batch in parallel, results concatenated in image order.
#include "common.h"
#include "components_label.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

namespace mmcount {
namespace {

Element element_of(ScalarType type) {
  switch (type) {
    case ScalarType::Bool:
    case ScalarType::Byte:
      return Element::kUInt8;
    case ScalarType::Half:
      return Element::kHalf;
    case ScalarType::BFloat16:
      return Element::kBFloat16;
    case ScalarType::Float:
      return Element::kFloat;
    case ScalarType::Double:
      return Element::kDouble;
    default:
      STD_TORCH_CHECK(false, "find_components: expected a bool, uint8 or floating map");
  }
}

// The smallest pixel value that passes, as the kernels compare it. False: no uint8 value can pass.
bool scalar_bound(Element element, std::optional<double> threshold, double& bound) {
  if (element != Element::kUInt8) {
    bound = *threshold;
    return true;
  }
  bound = threshold ? std::ceil(*threshold) : 1.0;
  if (!(bound <= 255.0)) return false;
  bound = bound < 0.0 ? 0.0 : bound;
  return true;
}

// Rows must be dense; images and rows may be strided (crops, expanded threshold maps).
Tensor dense_rows(const Tensor& x) {
  return x.size(2) <= 1 || x.stride(2) == 1 ? x : torch::stable::contiguous(x);
}

struct Batch {
  int64_t images, height, width;
  Tensor pixels;
  std::optional<Tensor> map;
  double scalar = 0;

  ImageView view(int64_t n) const {
    const auto item = static_cast<int64_t>(pixels.element_size());
    ImageView image{};
    image.pixels = static_cast<const char*>(pixels.const_data_ptr()) + n * pixels.stride(0) * item;
    image.pixel_row_bytes = pixels.stride(1) * item;
    if (map) {
      image.map = static_cast<const char*>(map->const_data_ptr()) + n * map->stride(0) * item;
      image.map_row_bytes = map->stride(1) * item;
    }
    image.scalar = scalar;
    image.height = height;
    image.width = width;
    return image;
  }
};

Tensor stats_table(const Tensor& like, const std::vector<ImageComponents>& found, int64_t total) {
  Tensor table = torch::stable::new_empty(like, {total, 6}, ScalarType::Long);
  int64_t* out = static_cast<int64_t*>(table.mutable_data_ptr());
  for (std::size_t n = 0; n < found.size(); ++n) {
    for (const Component& c : found[n].components) {
      const int64_t row[6] = {static_cast<int64_t>(n), c.left, c.top, c.right, c.bottom, c.area};
      std::memcpy(out, row, sizeof(row));
      out += 6;
    }
  }
  return table;
}

Tensor means_table(const Tensor& like, const std::vector<ImageComponents>& found, int64_t total, bool scores) {
  Tensor table = torch::stable::new_empty(like, {total, 3}, ScalarType::Double);
  double* out = static_cast<double*>(table.mutable_data_ptr());
  for (const ImageComponents& image : found) {
    for (const Component& c : image.components) {
      const auto area = static_cast<double>(c.area);
      // sum_x2 is even, so halving it is exact below 2^53 and the quotient is the correctly rounded mean.
      *out++ = static_cast<double>(c.sum_x2 / 2) / area;
      *out++ = static_cast<double>(c.sum_y) / area;
      *out++ = scores ? c.sum_score / area : 1.0;
    }
  }
  return table;
}

void paint_labels(const ImageComponents& image, int64_t height, int64_t width, int32_t* labels) {
  for (int64_t y = 0; y < height; ++y) {
    int32_t* row = labels + y * width;
    std::memset(row, 0, static_cast<std::size_t>(width) * sizeof(int32_t));
    for (int64_t k = image.row_begin[y]; k < image.row_begin[y + 1]; ++k) {
      const Run& run = image.runs[k];
      std::fill(row + run.first, row + run.last, run.label);
    }
  }
}

std::tuple<Tensor, Tensor, Tensor> find_components(const Tensor& prob, std::optional<Tensor> threshold_map,
                                                   std::optional<double> threshold, int64_t connectivity,
                                                   int64_t min_area, bool return_labels) {
  STD_TORCH_CHECK(prob.dim() == 3, "find_components: expected a map of shape (N, H, W)");
  STD_TORCH_CHECK(connectivity == 4 || connectivity == 8, "find_components: connectivity must be 4 or 8, got ",
                  connectivity);
  const Element element = element_of(prob.scalar_type());
  if (threshold_map) {
    STD_TORCH_CHECK(threshold_map->dim() == 3 && threshold_map->size(0) == prob.size(0) &&
                        threshold_map->size(1) == prob.size(1) && threshold_map->size(2) == prob.size(2),
                    "find_components: the threshold map must have the shape of the map");
    STD_TORCH_CHECK(threshold_map->scalar_type() == prob.scalar_type(),
                    "find_components: the threshold map must have the dtype of the map");
  }
  STD_TORCH_CHECK(threshold_map || threshold || element == Element::kUInt8,
                  "find_components: a floating map needs a threshold");

  Batch batch{prob.size(0), prob.size(1), prob.size(2), dense_rows(prob), std::nullopt};
  if (threshold_map) batch.map = dense_rows(*threshold_map);
  constexpr int64_t kMaxLabels = std::numeric_limits<int32_t>::max();
  STD_TORCH_CHECK(batch.width < kMaxLabels - 2 && batch.height < kMaxLabels - 2 &&
                      batch.height * (batch.width / 2 + 1) < kMaxLabels,
                  "find_components: the map is too large for 32-bit labels");
  const bool any = threshold_map || scalar_bound(element, threshold, batch.scalar);

  LabelOptions options{};
  options.kernels = select_row_kernels(element, threshold_map.has_value());
  options.eight_connected = connectivity == 8;
  options.want_scores = (threshold_map || threshold) && prob.scalar_type() != ScalarType::Bool;
  options.want_labels = return_labels;
  options.min_area = min_area;

  std::vector<ImageComponents> found(static_cast<std::size_t>(batch.images));
  Tensor labels = torch::stable::new_empty(
      prob, {return_labels ? batch.images : 0, batch.height, batch.width}, ScalarType::Int);
  int32_t* label_data = return_labels ? static_cast<int32_t*>(labels.mutable_data_ptr()) : nullptr;
  const int64_t pixels = batch.height * batch.width;
  parallel(batch.images, 0.4 * static_cast<double>(pixels), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      if (any && pixels > 0) found[n] = label_image(batch.view(n), options);
      if (!label_data) continue;
      if (any && pixels > 0) {
        paint_labels(found[n], batch.height, batch.width, label_data + n * pixels);
      } else {
        std::fill(label_data + n * pixels, label_data + (n + 1) * pixels, 0);
      }
    }
  });

  int64_t total = 0;
  for (const ImageComponents& image : found) total += static_cast<int64_t>(image.components.size());
  return {stats_table(prob, found, total), means_table(prob, found, total, options.want_scores), labels};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(mmcount, CPU, m) {
  m.impl("find_components", TORCH_BOX(&find_components));
}

}  // namespace mmcount
