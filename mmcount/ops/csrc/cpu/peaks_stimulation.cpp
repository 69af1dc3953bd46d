// CPU kernels of mmcount::peak_stimulation, its backward, and mmcount::topk_peak_mask.
#include "peaks_stack.h"

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <type_traits>

namespace mmcount::peaks {
namespace {

// Smallest of the peak values that is not below the lower median of the map; all larger ones are not, either.
// The median itself is never computed: v >= median exactly when at least k pixels are <= v, and few peaks need asking.
template <class T>
T median_level(const T* map, int64_t area, std::vector<T>& undecided) {
  const auto count_le = pick<T>(isa()).count_le;
  const int64_t present = count_le(map, area, std::numeric_limits<T>::infinity());
  const int64_t k = (present - 1) / 2 + 1;
  T level = std::numeric_limits<T>::infinity();
  // Peaks are high as a rule, so the lowest is asked first.
  T pivot = *std::min_element(undecided.begin(), undecided.end());
  while (true) {
    const bool kept = count_le(map, area, pivot) >= k;
    if (kept) level = pivot;
    std::erase_if(undecided, [&](T v) { return kept ? v >= pivot : v <= pivot; });
    if (undecided.empty()) return level;
    pivot = undecided[undecided.size() / 2];
  }
}

template <class T>
T mean_level(const T* map, int64_t area) {
  double sum = 0, top = -std::numeric_limits<double>::infinity();
  int64_t present = 0;
  for (int64_t i = 0; i < area; ++i) {
    if (map[i] != map[i]) continue;
    const double v = map[i];
    sum += v;
    top = std::max(top, v);
    ++present;
  }
  return std::min(sum / static_cast<double>(present), top);
}

enum class Filter { kNone, kMedian, kMean, kMax, kValue };

Filter parse(const std::string& name) {
  if (name == "none") return Filter::kNone;
  if (name == "median") return Filter::kMedian;
  if (name == "mean") return Filter::kMean;
  if (name == "max") return Filter::kMax;
  STD_TORCH_CHECK(name == "value", "unknown filter ", name);
  return Filter::kValue;
}

// Buffers of one thread, reused from map to map.
template <class T>
struct Scratch {
  std::vector<uint64_t> bits;
  std::vector<int64_t> index;
  std::vector<T> value, undecided;
};

// Mean of the map's peaks that pass the filter; their pixels become 1 in `mask`, which is zero on entry.
template <class T>
double stimulate(const Stack<T>& stack, int64_t m, const Query<T>& query, Filter filter, T level,
                 Scratch<T>& scratch, uint8_t* mask, int64_t& kept) {
  const T* data = stack.map_data(m);
  pick<T>(isa()).mark(stack.map(m), query, 0, stack.height(), scratch.bits.data());
  scratch.index.clear();
  scratch.value.clear();
  for_each_bit(scratch.bits.data(), stack.height(), stack.words(), [&](int64_t y, int64_t x) {
    const int64_t index = y * stack.width() + x;
    scratch.index.push_back(index);
    scratch.value.push_back(data[index]);
  });
  kept = 0;
  if (scratch.index.empty()) return std::numeric_limits<double>::quiet_NaN();
  double least = -std::numeric_limits<double>::infinity();
  if (filter == Filter::kMedian) {
    scratch.undecided = scratch.value;
    least = static_cast<double>(median_level(data, stack.area(), scratch.undecided));
  } else if (filter == Filter::kMean) {
    least = mean_level(data, stack.area());
  } else if (filter == Filter::kMax) {
    least = static_cast<double>(*std::max_element(scratch.value.begin(), scratch.value.end()));
  } else if (filter == Filter::kValue) {
    least = static_cast<double>(level);
  }
  double sum = 0;
  for (size_t i = 0; i < scratch.index.size(); ++i) {
    const double v = static_cast<double>(scratch.value[i]);
    if (!(v >= least)) continue;
    mask[scratch.index[i]] = 1;
    sum += v;
    ++kept;
  }
  return kept > 0 ? sum / static_cast<double>(kept) : 0.0;
}

void store(void* scores, int64_t i, double value, ScalarType dtype) {
  if (dtype == ScalarType::Half) {
    static_cast<Half*>(scores)[i] = Half(static_cast<float>(value));
  } else if (dtype == ScalarType::BFloat16) {
    static_cast<BFloat16*>(scores)[i] = BFloat16(static_cast<float>(value));
  } else if (dtype == ScalarType::Float) {
    static_cast<float*>(scores)[i] = static_cast<float>(value);
  } else {
    static_cast<double*>(scores)[i] = value;
  }
}

std::tuple<Tensor, Tensor, Tensor> peak_stimulation(const Tensor x, int64_t radius, std::string filter, double level,
                                                    bool /*mean_grad*/) {
  const Tensor wide = widen(x);
  const auto dtype = x.scalar_type();
  const int64_t size[4] = {x.size(0), x.size(1), x.size(2), x.size(3)};
  const Tensor scores = torch::stable::new_empty(x, {size, 2});
  const Tensor counts = torch::stable::new_empty(x, {size, 2}, ScalarType::Long);
  const Tensor mask = torch::stable::new_empty(x, {size, 4}, ScalarType::Bool);
  const Filter kind = parse(filter);
  with_type(wide, [&](auto tag) {
    using T = decltype(tag);
    const Stack<T> stack(wide);
    const auto query = make_query<T>(radius, std::nullopt, 0, dtype);
    const T least = as_stored<T>(level, dtype);
    void* score_out = scores.mutable_data_ptr();
    int64_t* count_out = counts.mutable_data_ptr<int64_t>();
    auto* mask_out = static_cast<uint8_t*>(mask.mutable_data_ptr());
    parallel(stack.maps(), 2 * kNsPerPixel * static_cast<double>(stack.area()), [&](int64_t begin, int64_t end) {
      Scratch<T> scratch;
      scratch.bits.resize(static_cast<size_t>(stack.words_per_map()));
      for (int64_t m = begin; m < end; ++m) {
        uint8_t* map_mask = mask_out + m * stack.area();
        std::memset(map_mask, 0, static_cast<size_t>(stack.area()));
        store(score_out, m, stimulate(stack, m, query, kind, least, scratch, map_mask, count_out[m]), dtype);
      }
    });
    return 0;
  });
  return {scores, counts, mask};
}

// out = gradient of the channel where the mask is set, else 0; G is an unsigned integer as wide as the dtype.
template <class G>
void spread(const uint8_t* mask, G value, int64_t area, G* out) {
  for (int64_t i = 0; i < area; ++i) out[i] = mask[i] ? value : G{0};
}

template <class Stored>
void spread_all(const Tensor& grad, const int64_t* counts, const uint8_t* mask, bool mean_grad, int64_t maps,
                int64_t area, void* out) {
  using G = std::conditional_t<sizeof(Stored) == 2, uint16_t, std::conditional_t<sizeof(Stored) == 4, uint32_t, uint64_t>>;
  const auto* in = static_cast<const Stored*>(grad.const_data_ptr());
  parallel(maps, 0.4 * static_cast<double>(area), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      Stored g = in[m];
      if (mean_grad) {
        const double share = static_cast<double>(g) / static_cast<double>(std::max<int64_t>(1, counts[m]));
        store(&g, 0, share, grad.scalar_type());
      }
      G raw;
      std::memcpy(&raw, &g, sizeof(G));
      spread(mask + m * area, raw, area, static_cast<G*>(out) + m * area);
    }
  });
}

Tensor peak_stimulation_backward(const Tensor grad, const Tensor counts, const Tensor mask, bool mean_grad) {
  const Tensor dense = torch::stable::contiguous(grad), number = torch::stable::contiguous(counts);
  const Tensor peaks = torch::stable::contiguous(mask);
  const int64_t size[4] = {mask.size(0), mask.size(1), mask.size(2), mask.size(3)};
  const Tensor out = torch::stable::new_empty(grad, {size, 4});
  const auto dtype = grad.scalar_type();
  const auto run = [&](auto stored) {
    spread_all<decltype(stored)>(dense, number.const_data_ptr<int64_t>(),
                                 static_cast<const uint8_t*>(peaks.const_data_ptr()), mean_grad, size[0] * size[1],
                                 size[2] * size[3], out.mutable_data_ptr());
  };
  if (dtype == ScalarType::Half) {
    run(Half{});
  } else if (dtype == ScalarType::BFloat16) {
    run(BFloat16{});
  } else if (dtype == ScalarType::Float) {
    run(float{});
  } else {
    STD_TORCH_CHECK(dtype == ScalarType::Double, "grad must be float16, bfloat16, float32 or float64");
    run(double{});
  }
  return out;
}

Tensor topk_peak_mask(const Tensor x, const Tensor mask, const Tensor counts, std::optional<int64_t> limit) {
  const Tensor wide = widen(x), peaks = torch::stable::contiguous(mask), number = torch::stable::contiguous(counts);
  const int64_t size[4] = {x.size(0), x.size(1), x.size(2), x.size(3)};
  const Tensor out = torch::stable::new_empty(mask, {size, 4});
  with_type(wide, [&](auto tag) {
    using T = decltype(tag);
    const Stack<T> stack(wide);
    const auto* in = static_cast<const uint8_t*>(peaks.const_data_ptr());
    auto* kept = static_cast<uint8_t*>(out.mutable_data_ptr());
    const int64_t* wanted = number.const_data_ptr<int64_t>();
    const int64_t area = stack.area();
    parallel(stack.maps(), kNsPerPixel * static_cast<double>(area), [&](int64_t begin, int64_t end) {
      std::vector<int64_t> index;
      std::vector<T> value;
      for (int64_t m = begin; m < end; ++m) {
        std::memset(kept + m * area, 0, static_cast<size_t>(area));
        if (wanted[m] <= 0 || (limit && wanted[m] > *limit)) continue;
        index.clear();
        value.clear();
        for (int64_t i = 0; i < area; ++i) {
          if (!in[m * area + i]) continue;
          index.push_back(i);
          value.push_back(stack.map_data(m)[i]);
        }
        T level = -std::numeric_limits<T>::infinity();
        if (wanted[m] < static_cast<int64_t>(value.size())) {
          auto ranked = value;
          std::nth_element(ranked.begin(), ranked.begin() + wanted[m] - 1, ranked.end(), std::greater<T>());
          level = ranked[static_cast<size_t>(wanted[m] - 1)];
        }
        for (size_t i = 0; i < index.size(); ++i) kept[m * area + index[i]] = value[i] >= level;
      }
    });
    return 0;
  });
  return out;
}

}  // namespace
}  // namespace mmcount::peaks

STABLE_TORCH_LIBRARY_IMPL(mmcount, CPU, m) {
  m.impl("peak_stimulation", TORCH_BOX(&mmcount::peaks::peak_stimulation));
  m.impl("peak_stimulation_backward", TORCH_BOX(&mmcount::peaks::peak_stimulation_backward));
  m.impl("topk_peak_mask", TORCH_BOX(&mmcount::peaks::topk_peak_mask));
}
