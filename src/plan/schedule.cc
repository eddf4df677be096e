// A state is the set of nodes that have run. What is live then depends on the set only, so the best way to reach each
// set, layer by layer, is the best order of all (dynamic programming over downsets). A layer that grows too wide keeps
// its best states: the same loop is then a beam search, and a greedy one at the end of its budget.
//
// Live bytes are counted in atoms: pieces of data that are written once and always read together. Overlaid values share
// their atoms. It is the peak that a perfect granting of overlays would give; place() compares real ones.
#include "plan/schedule.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "plan/content.h"

namespace fold8::plan {
namespace {

using ir::Node;
using ir::Program;
using ir::ValueId;

constexpr size_t kStates = 16384;  // kept, over all layers: up to so many downsets the search is exact
constexpr size_t kSteps = 100000;  // tried before the search goes greedy; some 50 ms

class Bits {
 public:
  explicit Bits(size_t n) : words_((n + 63) / 64) {}
  void add(size_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  bool has(size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  bool within(const Bits& other) const {
    for (size_t w = 0; w < words_.size(); ++w)
      if ((words_[w] & ~other.words_[w]) != 0) return false;
    return true;
  }
  auto operator<=>(const Bits&) const = default;

 private:
  std::vector<uint64_t> words_;
};

struct Atom {
  int64_t bytes = 0;
  Bits readers;
  bool kept = false;  // an output of the program
};

struct Task {
  std::vector<size_t> reads;  // atoms, each once
  std::vector<size_t> makes;
  std::vector<std::vector<size_t>> replaceable;  // atoms of each operand that the result may take the place of
  int64_t made_bytes = 0;
  int64_t scratch_bytes = 0;
  Bits needs;                 // tasks before
  std::vector<size_t> feeds;  // tasks after
};

struct Model {
  std::vector<Atom> atoms;
  std::vector<Task> tasks;
  int64_t start_live = 0;
  int64_t floor = 0;  // no order has a lower peak
};

// What running a task does: the bytes live meanwhile, and afterwards.
struct Step {
  int64_t during = 0;
  int64_t after = 0;
};

// `done` holds the task already.
Step step(const Model& model, const Task& task, const Bits& done, int64_t live) {
  auto dies = [&](size_t a) { return !model.atoms[a].kept && model.atoms[a].readers.within(done); };
  int64_t freed = 0;
  for (const auto* list : {&task.reads, &task.makes})
    for (size_t a : *list)
      if (dies(a)) freed += model.atoms[a].bytes;
  const bool in_place =
      std::ranges::any_of(task.replaceable, [&](const auto& list) { return std::ranges::all_of(list, dies); });
  const int64_t made_apart = in_place ? 0 : task.made_bytes;
  return {live + made_apart + task.scratch_bytes, live + task.made_bytes - freed};
}

class ModelBuilder {
 public:
  ModelBuilder(const Program& program, const std::vector<int64_t>& scratch_bytes)
      : program_(program), contents_(contents(program)), cuts_(program.values.size()), first_(program.values.size()) {
    cut_atoms();
    for (size_t i = 0; i < program.nodes.size(); ++i)
      model_.tasks.push_back({{}, {}, {}, 0, scratch_bytes[i], Bits(count()), {}});
    for (size_t i = 0; i < program.nodes.size(); ++i) add_task(i);
    link_tasks();
    bound();
  }
  Model take() { return std::move(model_); }

 private:
  size_t count() const { return program_.nodes.size(); }
  const Content& content(ValueId id) const { return contents_[id]; }

  // Cuts every origin wherever a segment of it begins or ends.
  void cut_atoms() {
    for (const Content& c : contents_)
      for (const Segment& s : c)
        cuts_[s.origin].insert({s.origin_begin, s.origin_begin + s.bytes});
    for (ValueId id : cuts_.keys()) {
      first_[id] = model_.atoms.size();
      const bool in_arena = lies_in_arena(id);
      for (auto at = cuts_[id].begin(); at != cuts_[id].end() && std::next(at) != cuts_[id].end(); ++at)
        model_.atoms.push_back({in_arena ? *std::next(at) - *at : 0, Bits(count()), false});
    }
  }

  std::vector<size_t> atoms_of(ValueId id) const {
    std::vector<size_t> list;
    for (const Segment& s : content(id)) {
      size_t atom = first_[s.origin];
      for (auto at = cuts_[s.origin].begin(); *at < s.origin_begin + s.bytes; ++at, ++atom)
        if (*at >= s.origin_begin) list.push_back(atom);
    }
    return list;
  }

  bool lies_in_arena(ValueId id) const { return program_[id].buffer == ir::Buffer::arena; }
  bool is_fresh(ValueId id) const { return content(id).size() == 1 && content(id)[0].origin == id; }

  void add_task(size_t i) {
    const Node& node = program_.nodes[i];
    Task& task = model_.tasks[i];
    std::set<size_t> reads;
    for (ValueId id : node.inputs) {
      if (id == ValueId::none || program_[id].is_constant()) continue;
      const std::vector<size_t> list = atoms_of(id);
      reads.insert(list.begin(), list.end());
      const bool fits = node.op->access.elementwise && node.outputs.size() == 1 && is_fresh(node.outputs[0]) &&
                        value_bytes(program_, id) == value_bytes(program_, node.outputs[0]);
      if (fits) task.replaceable.push_back(list);
    }
    task.reads.assign(reads.begin(), reads.end());
    for (size_t a : task.reads) model_.atoms[a].readers.add(i);
    for (ValueId id : node.outputs)
      for (const Segment& s : content(id))
        if (s.origin == id && lies_in_arena(id)) task.made_bytes += s.bytes;
  }

  void link_tasks() {
    std::map<ValueId, size_t> producer;
    for (size_t i = 0; i < count(); ++i)
      for (ValueId id : program_.nodes[i].outputs) producer[id] = i;
    for (size_t i = 0; i < count(); ++i) {
      for (ValueId id : program_.nodes[i].inputs) {
        const auto from = producer.find(id);
        if (from == producer.end() || model_.tasks[i].needs.has(from->second)) continue;
        model_.tasks[i].needs.add(from->second);
        model_.tasks[from->second].feeds.push_back(i);
      }
      for (ValueId id : program_.nodes[i].outputs)
        for (size_t a : atoms_of(id))
          if (std::ranges::find(model_.tasks[i].reads, a) == model_.tasks[i].reads.end())
            model_.tasks[i].makes.push_back(a);
    }
    for (ValueId id : program_.outputs)
      if (!program_[id].is_constant())
        for (size_t a : atoms_of(id)) model_.atoms[a].kept = true;
  }

  void bound() {
    const Bits nothing(count());
    for (ValueId id : std::set(program_.inputs.begin(), program_.inputs.end())) {
      if (lies_in_arena(id)) model_.floor += value_bytes(program_, id);
      for (size_t a : atoms_of(id))
        if (model_.atoms[a].kept || !model_.atoms[a].readers.within(nothing))
          model_.start_live += model_.atoms[a].bytes;
    }
    Bits all(count());
    for (size_t i = 0; i < count(); ++i) all.add(i);
    for (const Task& task : model_.tasks) {
      int64_t read = 0;
      for (size_t a : task.reads) read += model_.atoms[a].bytes;
      model_.floor = std::max(model_.floor, step(model_, task, all, read).during);
    }
  }

  const Program& program_;
  IndexedVector<ValueId, Content> contents_;
  IndexedVector<ValueId, std::set<int64_t>> cuts_;  // of each value as an origin
  IndexedVector<ValueId, size_t> first_;  // its first atom
  Model model_;
};

struct State {
  Bits done;
  std::vector<size_t> ready;  // tasks that can run next, ascending
  int64_t live = 0;
  int64_t peak = 0;
  size_t parent = 0;  // in the layer before
  size_t task = 0;    // run last
};

class Search {
 public:
  // Looks for an order with a peak below `limit`.
  Search(const Model& model, int64_t limit) : model_(model), limit_(limit) {}

  std::vector<size_t> run() {
    const size_t n = model_.tasks.size();
    const size_t wide = std::max<size_t>(kStates / n, 16);
    std::vector<std::vector<State>> layers{{start()}};
    while (layers.size() <= n) {
      std::vector<State> layer = advance(layers.back());
      if (layer.empty()) return {};
      narrow(layer, tried_ < kSteps ? wide : 1);
      for (State& s : layer) s.ready = ready_after(layers.back()[s.parent], s.task, s.done);
      layers.push_back(std::move(layer));
    }
    return trace(layers);
  }

 private:
  State start() const {
    State s{Bits(model_.tasks.size()), {}, model_.start_live, model_.floor, 0, 0};
    for (size_t i = 0; i < model_.tasks.size(); ++i)
      if (model_.tasks[i].needs.within(s.done)) s.ready.push_back(i);
    return s;
  }

  std::vector<State> advance(const std::vector<State>& layer) {
    std::vector<State> next;
    std::map<Bits, size_t> known;
    for (size_t i = 0; i < layer.size(); ++i)
      for (State& s : successors(layer[i])) {
        s.parent = i;
        const auto [at, is_new] = known.try_emplace(s.done, next.size());
        if (is_new) {
          next.push_back(std::move(s));
        } else if (s.peak < next[at->second].peak) {
          next[at->second] = std::move(s);
        }
      }
    return next;
  }

  // A task that raises neither the peak nor what stays live loses nothing by running now, whatever comes later: then it
  // is the only successor.
  std::vector<State> successors(const State& from) {
    std::vector<State> all;
    for (size_t t : from.ready) {
      ++tried_;
      State s{from.done, {}, 0, 0, 0, t};
      s.done.add(t);
      const Step now = step(model_, model_.tasks[t], s.done, from.live);
      s.live = now.after;
      s.peak = std::max(from.peak, now.during);
      if (s.peak >= limit_) continue;
      const bool free = s.peak == from.peak && s.live <= from.live;
      if (free) all.clear();
      all.push_back(std::move(s));
      if (free) break;
    }
    return all;
  }

  std::vector<size_t> ready_after(const State& from, size_t task, const Bits& done) const {
    std::vector<size_t> ready;
    for (size_t t : from.ready)
      if (t != task) ready.push_back(t);
    for (size_t t : model_.tasks[task].feeds)
      if (model_.tasks[t].needs.within(done)) ready.push_back(t);
    std::ranges::sort(ready);
    return ready;
  }

  static void narrow(std::vector<State>& layer, size_t width) {
    if (layer.size() <= width) return;
    std::ranges::stable_sort(layer, {}, [](const State& s) { return std::pair(s.peak, s.live); });
    layer.erase(layer.begin() + static_cast<std::ptrdiff_t>(width), layer.end());
  }

  static std::vector<size_t> trace(const std::vector<std::vector<State>>& layers) {
    std::vector<size_t> order(layers.size() - 1);
    const auto& last = layers.back();
    size_t at = static_cast<size_t>(std::ranges::min_element(last, {}, &State::peak) - last.begin());
    for (size_t i = layers.size() - 1; i > 0; --i) {
      order[i - 1] = layers[i][at].task;
      at = layers[i][at].parent;
    }
    return order;
  }

  const Model& model_;
  int64_t limit_;
  size_t tried_ = 0;
};

int64_t peak_as_given(const Model& model) {
  Bits done(model.tasks.size());
  int64_t live = model.start_live;
  int64_t peak = model.floor;
  for (size_t i = 0; i < model.tasks.size(); ++i) {
    done.add(i);
    const Step now = step(model, model.tasks[i], done, live);
    peak = std::max(peak, now.during);
    live = now.after;
  }
  return peak;
}

}  // namespace

std::vector<size_t> best_order(const Program& program, const std::vector<int64_t>& scratch_bytes) {
  std::vector<size_t> given(program.nodes.size());
  std::iota(given.begin(), given.end(), size_t{0});
  const Model model = ModelBuilder(program, scratch_bytes).take();
  const int64_t peak = peak_as_given(model);
  if (peak == model.floor) return given;
  const std::vector<size_t> found = Search(model, peak).run();
  return found.empty() ? given : found;
}

}  // namespace fold8::plan
