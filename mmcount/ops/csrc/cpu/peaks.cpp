// CPU kernels of mmcount::find_peaks and mmcount::find_peaks_topk.
#include "peaks_stack.h"

#include <cstdlib>
#include <string>
#include <tuple>

namespace mmcount::peaks {

const Isa& isa() {
  static const Isa& chosen = []() -> const Isa& {
#ifdef MMCOUNT_X86_ISAS
    // MMCOUNT_CPU_ISA=baseline|avx2 caps the choice, to test the slower kernels on a newer processor.
    const char* variable = std::getenv("MMCOUNT_CPU_ISA");
    const std::string cap = variable ? variable : "";
    const bool has_512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (cap != "baseline" && cap != "avx2" && has_512) return avx512_isa;
    if (cap != "baseline" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return avx2_isa;
#endif
    return baseline_isa;
  }();
  return chosen;
}

namespace {

// Copies of elements of 2, 4 or 8 bytes, whatever they mean.
template <class F>
void with_bits_of(int64_t bytes, const F& f) {
  if (bytes == 2) return f(uint16_t{});
  if (bytes == 4) return f(uint32_t{});
  return f(uint64_t{});
}

int64_t element_bytes(ScalarType dtype) {
  if (dtype == ScalarType::Double) return 8;
  return dtype == ScalarType::Float ? 4 : 2;
}

std::tuple<Tensor, Tensor> empty_list(const Tensor& x, int64_t size) {
  const int64_t rows[2] = {size, 4};
  const int64_t row[1] = {size};
  return {torch::stable::new_empty(x, {rows, 2}, ScalarType::Long), torch::stable::new_empty(x, {row, 1})};
}

// First output row of each map, and the total.
std::vector<int64_t> offsets_of(const std::vector<int64_t>& counts) {
  std::vector<int64_t> offsets(counts.size() + 1, 0);
  for (size_t m = 0; m < counts.size(); ++m) offsets[m + 1] = offsets[m] + counts[m];
  return offsets;
}

template <class T>
std::tuple<Tensor, Tensor> find_peaks_typed(const Tensor& x, const Tensor& wide, const Query<T>& query) {
  const Stack<T> stack(wide);
  const auto bits = std::make_unique_for_overwrite<uint64_t[]>(static_cast<size_t>(stack.maps() * stack.words_per_map()));
  std::vector<int64_t> counts(static_cast<size_t>(stack.maps()));
  mark_all_maps(stack, query, bits.get(), counts.data());
  const auto offsets = offsets_of(counts);
  auto [positions, values] = empty_list(x, offsets.back());
  int64_t* out = positions.template mutable_data_ptr<int64_t>();
  const Tensor source = torch::stable::contiguous(x);
  with_bits_of(element_bytes(x.scalar_type()), [&](auto tag) {
    using E = decltype(tag);
    const E* in = static_cast<const E*>(source.const_data_ptr());
    E* value = static_cast<E*>(values.mutable_data_ptr());
    const double cost = 0.05 * static_cast<double>(stack.area());
    parallel(stack.maps(), cost, [&](int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m) {
        int64_t* p = out + 4 * offsets[static_cast<size_t>(m)];
        E* v = value + offsets[static_cast<size_t>(m)];
        const E* map = in + m * stack.area();
        const int64_t n = m / stack.channels(), c = m % stack.channels();
        for_each_bit(bits.get() + m * stack.words_per_map(), stack.height(), stack.words(), [&](int64_t y, int64_t col) {
          p[0] = n;
          p[1] = c;
          p[2] = y;
          p[3] = col;
          p += 4;
          *v++ = map[y * stack.width() + col];
        });
      }
    });
  });
  return {positions, values};
}

std::tuple<Tensor, Tensor> find_peaks(const Tensor x, int64_t radius, std::optional<double> threshold, int64_t border) {
  const Tensor wide = widen(x);
  return with_type(wide, [&](auto tag) {
    using T = decltype(tag);
    return find_peaks_typed<T>(x, wide, make_query<T>(radius, threshold, border, x.scalar_type()));
  });
}

template <class T>
std::tuple<Tensor, Tensor> find_peaks_topk_typed(const Tensor& x, const Tensor& wide, const Query<T>& query,
                                                 int64_t topk) {
  const Stack<T> stack(wide);
  const auto bits = std::make_unique_for_overwrite<uint64_t[]>(static_cast<size_t>(stack.maps() * stack.words_per_map()));
  std::vector<int64_t> counts(static_cast<size_t>(stack.maps()));
  mark_all_maps(stack, query, bits.get(), counts.data());
  std::vector<int64_t> kept(counts);
  for (int64_t& k : kept) k = std::min(k, topk);
  const auto offsets = offsets_of(kept);
  auto [positions, values] = empty_list(x, offsets.back());
  int64_t* out = positions.template mutable_data_ptr<int64_t>();
  const Tensor source = torch::stable::contiguous(x);
  struct Peak {
    T value;
    int64_t index;
  };
  // A total order: equal values go in raster order, so the result does not depend on the selection algorithm.
  const auto before = [](const Peak& a, const Peak& b) {
    return a.value > b.value || (a.value == b.value && a.index < b.index);
  };
  with_bits_of(element_bytes(x.scalar_type()), [&](auto tag) {
    using E = decltype(tag);
    const E* in = static_cast<const E*>(source.const_data_ptr());
    E* value = static_cast<E*>(values.mutable_data_ptr());
    parallel(stack.maps(), static_cast<double>(stack.area()), [&](int64_t begin, int64_t end) {
      std::vector<Peak> found;
      for (int64_t m = begin; m < end; ++m) {
        found.clear();
        const T* data = stack.map_data(m);
        for_each_bit(bits.get() + m * stack.words_per_map(), stack.height(), stack.words(), [&](int64_t y, int64_t col) {
          const int64_t index = y * stack.width() + col;
          found.push_back({data[index], index});
        });
        const auto middle = found.begin() + kept[static_cast<size_t>(m)];
        if (middle != found.end()) std::nth_element(found.begin(), middle, found.end(), before);
        std::sort(found.begin(), middle, before);
        int64_t row = offsets[static_cast<size_t>(m)];
        for (auto peak = found.begin(); peak != middle; ++peak, ++row) {
          out[4 * row] = m / stack.channels();
          out[4 * row + 1] = m % stack.channels();
          out[4 * row + 2] = peak->index / stack.width();
          out[4 * row + 3] = peak->index % stack.width();
          value[row] = in[m * stack.area() + peak->index];
        }
      }
    });
  });
  return {positions, values};
}

std::tuple<Tensor, Tensor> find_peaks_topk(const Tensor x, int64_t radius, std::optional<double> threshold,
                                           int64_t border, int64_t topk) {
  const Tensor wide = widen(x);
  return with_type(wide, [&](auto tag) {
    using T = decltype(tag);
    return find_peaks_topk_typed<T>(x, wide, make_query<T>(radius, threshold, border, x.scalar_type()), topk);
  });
}

}  // namespace
}  // namespace mmcount::peaks

STABLE_TORCH_LIBRARY_IMPL(mmcount, CPU, m) {
  m.impl("find_peaks", TORCH_BOX(&mmcount::peaks::find_peaks));
  m.impl("find_peaks_topk", TORCH_BOX(&mmcount::peaks::find_peaks_topk));
}
