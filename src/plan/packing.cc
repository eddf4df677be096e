// Three ways, each only if those before missed the goal:
//   fill    blocks one by one in some order, each where it fits: lowest, tightest, or at both ends of the goal in turn.
//           Two ends are what a chain needs: each tensor then meets its neighbours from the other side.
//   mend    the block that stuck out goes first, and again.
//   search  complete, over "a below b or b below a", with bounds on every address narrowed after each decision.
#include "plan/packing.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace fold8::plan {
namespace {

constexpr int kMendRounds = 1000;
constexpr int kSearchSizes = 6;  // of the arena, tried one after the other; they share half of the work

int64_t round_down(int64_t n, int64_t align) { return n - ((n % align) + align) % align; }
int64_t round_up(int64_t n, int64_t align) { return round_down(n + align - 1, align); }

// An Apart as one of its two blocks sees it: address(self) - address(other) is not strictly between lo and hi.
struct Edge {
  size_t other = 0;
  int64_t lo = 0;
  int64_t hi = 0;
  size_t apart = 0;
};

using Edges = std::vector<std::vector<Edge>>;

Edges edges_of(const PackingProblem& problem) {
  Edges edges(problem.blocks.size());
  for (size_t i = 0; i < problem.apart.size(); ++i) {
    const Apart& c = problem.apart[i];
    edges[c.b].push_back({c.a, c.lo, c.hi, i});
    edges[c.a].push_back({c.b, -c.hi, -c.lo, i});
  }
  return edges;
}

using Order = std::vector<size_t>;
enum class Fit { lowest, tightest, both_ends };
constexpr Fit kFits[] = {Fit::lowest, Fit::tightest, Fit::both_ends};

// Places blocks one by one into an arena that should not exceed `limit`.
class Filler {
 public:
  Filler(const PackingProblem& problem, const Edges& edges, int64_t limit)
      : problem_(problem), edges_(edges), limit_(limit) {}

  Packing fill(const Order& order, Fit fit) {
    packing_ = {std::vector<int64_t>(problem_.blocks.size(), kUnplaced), 0};
    bool top = false;
    for (size_t b : order) {
      const std::vector<Gap> gaps = gaps_for(b);
      const int64_t at = choose(gaps, fit, top);
      packing_.address[b] = at;
      packing_.bytes = std::max(packing_.bytes, at + problem_.blocks[b].bytes);
      top = !top;
    }
    return packing_;
  }

  int64_t work() const { return work_; }

 private:
  static constexpr int64_t kUnplaced = -1;

  struct Gap {
    int64_t low = 0;  // addresses the block may have
    int64_t high = 0;
  };

  // In ascending order; the last one is open upwards, its `high` the limit or its `low` if that is beyond.
  std::vector<Gap> gaps_for(size_t b) {
    taken_.clear();
    for (const Edge& e : edges_[b]) {
      const int64_t other = packing_.address[e.other];
      if (other != kUnplaced) taken_.emplace_back(other + e.lo, other + e.hi);
    }
    work_ += static_cast<int64_t>(edges_[b].size());
    std::ranges::sort(taken_);
    const Block& block = problem_.blocks[b];
    std::vector<Gap> gaps;
    int64_t low = 0;
    for (const auto& [lo, hi] : taken_) {
      if (low <= lo) gaps.push_back({low, round_down(lo, block.align)});
      low = std::max(low, round_up(hi, block.align));
    }
    std::erase_if(gaps, [](const Gap& g) { return g.low > g.high; });
    gaps.push_back({low, std::max(low, round_down(limit_ - block.bytes, block.align))});
    return gaps;
  }

  int64_t choose(const std::vector<Gap>& gaps, Fit fit, bool top) const {
    switch (fit) {
      case Fit::lowest: return gaps.front().low;
      case Fit::tightest: return std::ranges::min_element(gaps, {}, [](const Gap& g) { return g.high - g.low; })->low;
      case Fit::both_ends: return top ? gaps.back().high : gaps.front().low;
    }
    throw CompilerBug("a fit is one of three");
  }

  const PackingProblem& problem_;
  const Edges& edges_;
  int64_t limit_;
  Packing packing_;
  std::vector<std::pair<int64_t, int64_t>> taken_;
  int64_t work_ = 0;
};

// Orders worth trying, the likeliest to succeed first.
std::vector<Order> orders(const PackingProblem& problem) {
  Order all(problem.blocks.size());
  std::iota(all.begin(), all.end(), size_t{0});
  std::vector<Order> found;
  auto sorted = [&](auto key) {
    found.push_back(all);
    std::ranges::stable_sort(found.back(), {}, [&](size_t i) { return key(problem.blocks[i]); });
  };
  auto steps = [](const Block& b) { return int64_t{b.last} - b.first + 1; };
  auto from_peak = [&](const Block& b) {
    return std::max({0, b.first - problem.peak_step, problem.peak_step - b.last});
  };
  sorted([](const Block& b) { return -b.bytes; });
  sorted([&](const Block& b) { return std::tuple(steps(b) == 1, b.first); });  // scratch fills what is left
  sorted([&](const Block& b) { return std::tuple(from_peak(b), -b.bytes); });
  sorted([&](const Block& b) { return std::tuple(from_peak(b), -steps(b)); });
  sorted([&](const Block& b) { return std::tuple(-steps(b), -b.bytes); });
  sorted([](const Block& b) { return std::tuple(b.first, -b.last); });
  return found;
}

// Whether some packing fits into `limit` bytes: every address has bounds, and deciding which side of a forbidden
// interval a pair takes narrows them. When all lower bounds together break no constraint, they are a packing.
class Search {
 public:
  Search(const PackingProblem& problem, const Edges& edges, int64_t limit, int64_t work)
      : problem_(problem), edges_(edges), sides_(problem.apart.size(), Side::open), work_(work) {
    for (const Block& b : problem.blocks) {
      low_.push_back(0);
      high_.push_back(round_down(limit - b.bytes, b.align));
    }
  }

  bool run() {
    if (std::ranges::any_of(high_, [](int64_t h) { return h < 0; })) return false;
    for (size_t b = 0; b < low_.size(); ++b) queue_.push_back(b);
    while (work_ > 0) {
      if (!propagate()) {
        if (!backtrack()) return false;
        continue;
      }
      const size_t broken = most_broken();
      if (broken == kNone) return true;
      decide(broken, cheaper_side(problem_.apart[broken]), false);
    }
    return false;
  }

  Packing packing() const {
    Packing p{low_, 0};
    for (size_t b = 0; b < low_.size(); ++b) p.bytes = std::max(p.bytes, low_[b] + problem_.blocks[b].bytes);
    return p;
  }

 private:
  enum class Side : uint8_t { open, below, above };  // of b, seen from a: difference <= lo, or >= hi
  static constexpr size_t kNone = SIZE_MAX;

  struct Change {
    size_t block = 0;
    int64_t low = 0;
    int64_t high = 0;
  };
  struct Decision {
    size_t apart = 0;
    bool last_way = false;
    size_t changes = 0;  // made before it
  };

  bool narrow(size_t b, int64_t low, int64_t high) {
    const int64_t new_low = std::max(low_[b], round_up(low, problem_.blocks[b].align));
    const int64_t new_high = std::min(high_[b], round_down(high, problem_.blocks[b].align));
    if (new_low == low_[b] && new_high == high_[b]) return true;
    changes_.push_back({b, low_[b], high_[b]});
    low_[b] = new_low;
    high_[b] = new_high;
    queue_.push_back(b);
    return new_low <= new_high;
  }

  bool apply(const Apart& c, Side side) {
    if (side == Side::below) return narrow(c.b, 0, high_[c.a] + c.lo) && narrow(c.a, low_[c.b] - c.lo, high_[c.a]);
    return narrow(c.b, low_[c.a] + c.hi, high_[c.b]) && narrow(c.a, 0, high_[c.b] - c.hi);
  }

  // Narrows what the decided and the forced constraints of changed blocks imply.
  bool propagate() {
    while (!queue_.empty()) {
      const size_t block = queue_.back();
      queue_.pop_back();
      work_ -= static_cast<int64_t>(edges_[block].size());
      for (const Edge& e : edges_[block]) {
        const Apart& c = problem_.apart[e.apart];
        const Side decided = sides_[e.apart];
        const bool below = decided != Side::above && low_[c.b] - high_[c.a] <= c.lo;
        const bool above = decided != Side::below && high_[c.b] - low_[c.a] >= c.hi;
        if (!below && !above) return false;
        if (below != above && !apply(c, below ? Side::below : Side::above)) return false;
      }
    }
    return true;
  }

  // The largest pair that the lower bounds put on top of each other.
  size_t most_broken() {
    work_ -= static_cast<int64_t>(problem_.apart.size());
    size_t worst = kNone;
    int64_t worst_bytes = -1;
    for (size_t i = 0; i < problem_.apart.size(); ++i) {
      const Apart& c = problem_.apart[i];
      const int64_t distance = low_[c.b] - low_[c.a];
      const int64_t bytes = problem_.blocks[c.a].bytes + problem_.blocks[c.b].bytes;
      if (distance <= c.lo || distance >= c.hi || bytes <= worst_bytes) continue;
      worst = i;
      worst_bytes = bytes;
    }
    return worst;
  }

  Side cheaper_side(const Apart& c) const {
    const int64_t distance = low_[c.b] - low_[c.a];
    return c.hi - distance <= distance - c.lo ? Side::above : Side::below;
  }

  void decide(size_t apart, Side side, bool last_way) {
    decisions_.push_back({apart, last_way, changes_.size()});
    sides_[apart] = side;
    queue_.push_back(problem_.apart[apart].a);
  }

  bool backtrack() {
    queue_.clear();
    while (!decisions_.empty()) {
      const Decision d = decisions_.back();
      decisions_.pop_back();
      for (; changes_.size() > d.changes; changes_.pop_back()) {
        low_[changes_.back().block] = changes_.back().low;
        high_[changes_.back().block] = changes_.back().high;
      }
      const Side other = sides_[d.apart] == Side::above ? Side::below : Side::above;
      sides_[d.apart] = Side::open;
      if (d.last_way) continue;
      decide(d.apart, other, true);
      return true;
    }
    return false;
  }

  const PackingProblem& problem_;
  const Edges& edges_;
  std::vector<int64_t> low_;
  std::vector<int64_t> high_;
  std::vector<Side> sides_;
  std::vector<Change> changes_;
  std::vector<Decision> decisions_;
  std::vector<size_t> queue_;
  int64_t work_;
};

class Packer {
 public:
  Packer(const PackingProblem& problem, int64_t work)
      : problem_(problem), edges_(edges_of(problem)), orders_(orders(problem)), half_(work / 2) {}

  Packing run() {
    best_.bytes = INT64_MAX;
    for (int rounds : {1, kMendRounds}) fill_and_mend(rounds);
    if (!done()) search();
    return best_;
  }

 private:
  bool done() const { return best_.bytes <= problem_.goal_bytes; }

  void offer(Packing packing) {
    if (packing.bytes < best_.bytes) best_ = std::move(packing);
  }

  // The first block, in this order, that ends beyond the goal.
  size_t culprit(const Order& order, const Packing& packing) const {
    return static_cast<size_t>(
        std::ranges::find_if(
            order, [&](size_t b) { return packing.address[b] + problem_.blocks[b].bytes > problem_.goal_bytes; }) -
        order.begin());
  }

  void fill_and_mend(int rounds) {
    Filler filler(problem_, edges_, problem_.goal_bytes);
    for (const Order& start : orders_)
      for (Fit fit : kFits) {
        Order order = start;
        for (int i = 0; i < rounds && !done() && (rounds == 1 || filler.work() < half_); ++i) {
          const Packing packing = filler.fill(order, fit);
          const size_t bad = culprit(order, packing);
          offer(packing);
          if (bad == order.size() || bad == 0) break;
          std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(bad),
                      order.begin() + static_cast<std::ptrdiff_t>(bad) + 1);
        }
      }
  }

  // At the goal first, then halfway to the best known.
  void search() {
    int64_t limit = problem_.goal_bytes;
    for (int i = 0; i < kSearchSizes && limit < best_.bytes; ++i) {
      Search search(problem_, edges_, limit, half_ / kSearchSizes);
      if (search.run()) {
        offer(search.packing());
        return;
      }
      limit = limit + (best_.bytes - limit) / 2;
    }
  }

  const PackingProblem& problem_;
  Edges edges_;
  std::vector<Order> orders_;
  int64_t half_;  // of the work
  Packing best_;
};

}  // namespace

Packing pack(const PackingProblem& problem, int64_t work) {
  if (problem.blocks.empty()) return {};
  return Packer(problem, work).run();
}

}  // namespace fold8::plan
