// Matching of detections with ground truth for every pair of an IoU and a count threshold at once.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace mmcount::box_grid {

// A set of cells, i.e. of pairs of thresholds; cell = index of the IoU threshold * count thresholds + the other index.
struct Cells {
  static constexpr int kMax = 128;
  std::array<uint64_t, 2> words{0, 0};

  void add(int cell) { words[cell >> 6] |= uint64_t{1} << (cell & 63); }
  bool has(int cell) const { return words[cell >> 6] >> (cell & 63) & 1; }
  bool any() const { return (words[0] | words[1]) != 0; }
  bool operator==(const Cells& other) const { return words == other.words; }
  Cells operator&(const Cells& other) const { return {{words[0] & other.words[0], words[1] & other.words[1]}}; }
  Cells operator|(const Cells& other) const { return {{words[0] | other.words[0], words[1] | other.words[1]}}; }
  Cells without(const Cells& other) const { return {{words[0] & ~other.words[0], words[1] & ~other.words[1]}}; }

  template <class F>
  void each(const F& f) const {
    for (int part = 0; part < 2; ++part) {
      for (uint64_t rest = words[part]; rest != 0; rest &= rest - 1) f(64 * part + __builtin_ctzll(rest));
    }
  }
};

// Boxes are (x, y, width, height) in float64; `outside` is (subsets, size).
struct Boxes {
  const double* xywh;
  const double* counts;
  const bool* outside;
  int64_t size;
};

struct Thresholds {
  const double* iou;  // ascending
  int num_iou;
  const double* count;  // ascending
  int num_count;

  int cells() const { return num_iou * num_count; }
};

// Rows of one class in one image, detections by falling score.
struct Group {
  int64_t label, pred_begin, pred_end, gt_begin, gt_end;
};

// A ground truth that a detection may take, and in which cells.
struct Candidate {
  int64_t gt;
  double iou, accuracy;
  Cells cells;
};

// Candidates of the detections of one class, each detection's in the order in which they are tried.
struct CandidateRows {
  std::vector<Candidate> items;
  std::vector<int64_t> begin;  // of each detection of the class, and the end
};

CandidateRows find_candidates(const Group* first, const Group* last, const Boxes& pred, const Boxes& gt,
                              const bool* crowd, const Thresholds& thresholds);

// What the detections of one class are in one subset: right, or not to be judged. Else they are wrong.
struct Outcomes {
  std::vector<Cells> right, ignored;
};

// Greedy one-to-one matching in every cell. `first_match`, where it is given, gets the ground truth that each detection
// takes in cell 0, or -1.
void match(const Group* first, const Group* last, const CandidateRows& rows, const bool* pred_outside,
           const bool* gt_outside, const bool* crowd, const Cells& all, Outcomes& out, int64_t* first_match);

}  // namespace mmcount::box_grid
