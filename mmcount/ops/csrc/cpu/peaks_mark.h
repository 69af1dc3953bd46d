// Peak marking over a vector type. Included once per instruction set, inside that set's own namespace.
//
// A vector type `Vec<T>` has `lanes` values, a mask type, and:
//   load(p)            all lanes
//   load(p, lo, hi)    lanes lo <= i < hi, NaN elsewhere; memory outside is not touched
//   not_ge(k, a, c)    k and not (a >= c), lane by lane; an unordered pair counts as "not"
//   not_gt(k, a, c)    k and not (a > c)
// NaN stands for an absent pixel and so also for what lies outside the map: no comparison with it suppresses.

template <class Vec>
struct Row {
  typename Vec::V left, middle, right;
};

// Pixels x0 - 1 .. x0 + lanes of one row as three shifted vectors. `inner` promises they all lie in the map.
template <class Vec, bool inner>
inline Row<Vec> load_row(const typename Vec::T* row, int64_t x0, int64_t width) {
  if constexpr (inner) {
    return {Vec::load(row + x0 - 1), Vec::load(row + x0), Vec::load(row + x0 + 1)};
  } else {
    const int64_t lanes = Vec::lanes, rest = width - x0;
    const int first = x0 == 0 ? 1 : 0;
    return {Vec::load(row + x0 - 1, first, static_cast<int>(std::min(lanes, rest + 1))),
            Vec::load(row + x0, 0, static_cast<int>(std::min(lanes, rest))),
            Vec::load(row + x0 + 1, 0, static_cast<int>(std::min(lanes, rest - 1)))};
  }
}

// 3 x 3 peaks of one strip of columns in rows [begin, end): every pixel is loaded once per shift, not three times.
template <class Vec, bool inner>
inline void mark_strip(const Map<typename Vec::T>& map, const Query<typename Vec::T>& query, int64_t x0, int64_t begin,
                       int64_t end, uint64_t* bits) {
  using R = Row<Vec>;
  const int64_t width = map.width;
  const auto* data = map.data;
  const auto absent = Vec::set1(std::numeric_limits<typename Vec::T>::quiet_NaN());
  const auto level = Vec::set1(query.has_threshold ? query.threshold : -std::numeric_limits<typename Vec::T>::infinity());
  const R outside{absent, absent, absent};
  auto fetch = [&](int64_t y) {
    return y >= 0 && y < map.height ? load_row<Vec, inner>(data + y * width, x0, width) : outside;
  };
  R up = fetch(begin - 1), here = fetch(begin);
  auto* out = reinterpret_cast<typename Vec::Word*>(bits + begin * map.words) + x0 / Vec::lanes;
  const int64_t pitch = map.words * 64 / Vec::lanes;
  for (int64_t y = begin; y < end; ++y, out += pitch) {
    const R down = fetch(y + 1);
    const auto c = here.middle;
    auto k = query.has_threshold ? Vec::gt(c, level) : Vec::ge(c, level);
    k = Vec::not_ge(k, here.left, c);
    k = Vec::not_gt(k, here.right, c);
    k = Vec::not_ge(k, up.middle, c);
    k = Vec::not_gt(k, down.middle, c);
    k = Vec::not_ge(k, up.left, c);
    k = Vec::not_gt(k, down.right, c);
    k = Vec::not_ge(k, up.right, c);
    k = Vec::not_gt(k, down.left, c);
    *out = static_cast<typename Vec::Word>(Vec::to_bits(k));
    up = here;
    here = down;
  }
}

template <class Vec>
void mark_3x3(const Map<typename Vec::T>& map, const Query<typename Vec::T>& query, int64_t begin, int64_t end,
              uint64_t* bits) {
  constexpr int64_t lanes = Vec::lanes;
  // Small maps stay in L1 however they are walked; on large ones short bands keep the reads sequential.
  const int64_t map_bytes = (end - begin) * map.width * static_cast<int64_t>(sizeof(typename Vec::T));
  const int64_t step = map_bytes <= 32768 ? end - begin : 4;
  for (int64_t y = begin; y < end; y += step) {
    const int64_t stop = std::min(end, y + step);
    int64_t x0 = 0;
    mark_strip<Vec, false>(map, query, x0, y, stop, bits);
    for (x0 = lanes; x0 + lanes + 1 <= map.width; x0 += lanes) mark_strip<Vec, true>(map, query, x0, y, stop, bits);
    for (; x0 < map.width; x0 += lanes) mark_strip<Vec, false>(map, query, x0, y, stop, bits);
  }
}

// Whether any of data[0 .. size) is >= value (or > value).
template <class Vec, bool or_equal>
inline bool any_above(const typename Vec::T* data, int64_t size, typename Vec::V value) {
  int64_t i = 0;
  for (; i + Vec::lanes <= size; i += Vec::lanes) {
    const auto v = Vec::load(data + i);
    if (Vec::to_bits(or_equal ? Vec::ge(v, value) : Vec::gt(v, value))) return true;
  }
  if (i == size) return false;
  const auto v = Vec::load(data + i, 0, static_cast<int>(size - i));
  return Vec::to_bits(or_equal ? Vec::ge(v, value) : Vec::gt(v, value)) != 0;
}

// Whether pixel (x, y), already a 3 x 3 peak, is one of its whole window. Near rows first: they reject most.
template <class Vec>
bool survives(const Map<typename Vec::T>& map, int64_t radius, int64_t x, int64_t y) {
  const int64_t x_begin = std::max<int64_t>(0, x - radius), x_end = std::min(map.width, x + radius + 1);
  const int64_t size = x_end - x_begin;
  const auto* row = map.data + y * map.width;
  const auto value = Vec::set1(row[x]);
  if (any_above<Vec, true>(row + x_begin, x - x_begin, value)) return false;
  if (any_above<Vec, false>(row + x + 1, x_end - x - 1, value)) return false;
  for (int64_t d = 1; d <= radius; ++d) {
    const bool above = y - d >= 0, below = y + d < map.height;
    if (!above && !below) break;
    if (above && any_above<Vec, true>(row - d * map.width + x_begin, size, value)) return false;
    if (below && any_above<Vec, false>(row + d * map.width + x_begin, size, value)) return false;
  }
  return true;
}

// Thin the 3 x 3 peaks of rows [begin, end) to those of the whole window.
//
// Two pixels of a block of (radius + 1)^2 px lie in each other's window, so only the largest 3 x 3 peak of a block can
// survive (block partition of Neubeck & Van Gool, ICPR 2006). At most one window per block is then read in full: four
// reads per pixel of the map in the worst case, whatever the radius.
template <class Vec>
void thin(const Map<typename Vec::T>& map, const Query<typename Vec::T>& query, int64_t begin, int64_t end,
          uint64_t* bits) {
  using T = typename Vec::T;
  const int64_t side = std::min(query.radius, std::max(map.height, map.width)) + 1;
  const int64_t blocks = (map.width + side - 1) / side;
  struct Winner {
    T value;
    int32_t x, y;
  };
  std::vector<Winner> winners(static_cast<size_t>(blocks));
  for (int64_t y0 = begin; y0 < end; y0 += side) {
    const int64_t y1 = std::min(end, y0 + side);
    std::fill(winners.begin(), winners.end(), Winner{T(0), -1, -1});
    for (int64_t y = y0; y < y1; ++y) {
      const T* row = map.data + y * map.width;
      int64_t block = 0, block_end = side;
      for (int64_t w = 0; w < map.words; ++w) {
        uint64_t& word = bits[y * map.words + w];
        for (uint64_t rest = word; rest; rest &= rest - 1) {
          const int64_t x = w * 64 + __builtin_ctzll(rest);
          if (x >= block_end) {
            block = x / side;
            block_end = (block + 1) * side;
          }
          Winner& best = winners[static_cast<size_t>(block)];
          if (best.x < 0 || row[x] > best.value) best = {row[x], static_cast<int32_t>(x), static_cast<int32_t>(y)};
        }
        word = 0;
      }
    }
    for (const Winner& best : winners) {
      if (best.x >= 0 && survives<Vec>(map, side - 1, best.x, best.y)) {
        bits[best.y * map.words + best.x / 64] |= uint64_t{1} << (best.x % 64);
      }
    }
  }
}

// Radius 0: every present pixel above the threshold.
template <class T>
void mark_all(const Map<T>& map, const Query<T>& query, int64_t begin, int64_t end, uint64_t* bits) {
  for (int64_t y = begin; y < end; ++y) {
    for (int64_t x = 0; x < map.width; ++x) {
      const T v = map.data[y * map.width + x];
      const bool keep = query.has_threshold ? v > query.threshold : v == v;
      bits[y * map.words + x / 64] |= uint64_t{keep} << (x % 64);
    }
  }
}

template <class T>
void clear_border(const Map<T>& map, int64_t border, int64_t begin, int64_t end, uint64_t* bits) {
  const int64_t first = border, last = map.width - border;  // columns kept: [first, last)
  for (int64_t y = begin; y < end; ++y) {
    uint64_t* row = bits + y * map.words;
    if (y < border || y >= map.height - border) {
      std::fill(row, row + map.words, 0);
      continue;
    }
    for (int64_t w = 0; w < map.words; ++w) {
      const int64_t lo = std::clamp<int64_t>(first - w * 64, 0, 64), hi = std::clamp<int64_t>(last - w * 64, 0, 64);
      const uint64_t below_hi = hi == 64 ? ~uint64_t{0} : (uint64_t{1} << hi) - 1;
      const uint64_t below_lo = lo == 64 ? ~uint64_t{0} : (uint64_t{1} << lo) - 1;
      row[w] &= below_hi & ~below_lo;
    }
  }
}

template <class Vec>
int64_t mark(const Map<typename Vec::T>& map, const Query<typename Vec::T>& query, int64_t begin, int64_t end,
             uint64_t* bits) {
  if (map.width == 0) return 0;
  std::fill(bits + begin * map.words, bits + end * map.words, 0);
  if (query.radius == 0) {
    mark_all(map, query, begin, end, bits);
  } else {
    mark_3x3<Vec>(map, query, begin, end, bits);
  }
  // Before thinning, as it only removes candidates: suppression looks at the pixels themselves.
  if (query.border > 0) clear_border(map, query.border, begin, end, bits);
  if (query.radius > 1) thin<Vec>(map, query, begin, end, bits);
  int64_t found = 0;
  for (int64_t w = begin * map.words; w < end * map.words; ++w) found += __builtin_popcountll(bits[w]);
  return found;
}

template <class Vec>
int64_t count_le(const typename Vec::T* data, int64_t size, typename Vec::T value) {
  const auto limit = Vec::set1(value);
  int64_t count = 0, i = 0;
  for (; i + Vec::lanes <= size; i += Vec::lanes) {
    count += __builtin_popcount(Vec::to_bits(Vec::ge(limit, Vec::load(data + i))));
  }
  if (i < size) {
    count += __builtin_popcount(Vec::to_bits(Vec::ge(limit, Vec::load(data + i, 0, static_cast<int>(size - i)))));
  }
  return count;
}
