#include "ir/node.h"

#include <algorithm>

#include "base/indexed_vector.h"

namespace fold8::ir {

// Who makes and who reads each value: an entry for each time a node names it, in no order.
class UseDef {
 public:
  using Entries = std::vector<ListedNode*>;

  Entries& entries(ValueId id, bool results) {
    auto& table = results ? makers_ : readers_;
    if (!table.has(id)) table.resize(static_cast<size_t>(id) + 1);
    return table[id];
  }

  const Entries& makers(ValueId id) const { return makers_.has(id) ? makers_[id] : kNobody; }
  const Entries& readers(ValueId id) const { return readers_.has(id) ? readers_[id] : kNobody; }

 private:
  static inline const Entries kNobody = {};
  IndexedVector<ValueId, Entries> makers_, readers_;
};

// ---- ValueList

void ValueList::add(ValueId id) const {
  if (index_ != nullptr && id != ValueId::none) index_->entries(id, results_).push_back(node_);
}

void ValueList::remove(ValueId id) const {
  if (index_ == nullptr || id == ValueId::none) return;
  UseDef::Entries& entries = index_->entries(id, results_);
  const auto last = std::find(entries.rbegin(), entries.rend(), node_);
  require(last != entries.rend(), "the index knows every operand and result");
  *last = entries.back();
  entries.pop_back();
}

void ValueList::join(UseDef* index, ListedNode* node, bool results) {
  index_ = index;
  node_ = node;
  results_ = results;
  for (ValueId id : ids_) add(id);
}

void ValueList::leave() {
  for (ValueId id : ids_) remove(id);
  index_ = nullptr;
}

ValueList& ValueList::operator=(const ValueList& other) {
  for (ValueId id : ids_) remove(id);
  ids_ = other.ids_;
  for (ValueId id : ids_) add(id);
  return *this;
}

void ValueList::set(size_t i, ValueId id) {
  require(i < ids_.size(), "an operand or result that is set is there");
  remove(ids_[i]);
  ids_[i] = id;
  add(id);
}

void ValueList::push_back(ValueId id) {
  ids_.push_back(id);
  add(id);
}

void ValueList::resize(size_t size) {
  for (size_t i = size; i < ids_.size(); ++i) remove(ids_[i]);
  ids_.resize(size, ValueId::none);
}

void ValueList::replace(ValueId from, ValueId to) {
  for (size_t i = 0; i < ids_.size(); ++i)
    if (ids_[i] == from) set(i, to);
}

// ---- NodeList

namespace {

constexpr uint64_t kGap = uint64_t{1} << 32;  // between neighbours that were appended

bool earlier(const ListedNode* a, const ListedNode* b) { return a->order < b->order; }

}  // namespace

NodeList::NodeList() : index_(std::make_unique<UseDef>()) {}
NodeList::~NodeList() = default;

NodeList::NodeList(const NodeList& other) : NodeList() {
  for (const Node& node : other) push_back(node);
}

NodeList::NodeList(NodeList&& other) noexcept : NodeList() { swap(other); }

NodeList& NodeList::operator=(NodeList other) noexcept {
  swap(other);
  return *this;
}

void NodeList::swap(NodeList& other) noexcept {
  nodes_.swap(other.nodes_);
  index_.swap(other.index_);
}

void NodeList::enter(ListedNode& node) {
  node.inputs.join(index_.get(), &node, false);
  node.outputs.join(index_.get(), &node, true);
}

void NodeList::spread_orders() {
  uint64_t order = 0;
  for (const auto& node : nodes_) node->order = order += kGap;
}

Node& NodeList::insert(size_t at, Node node) {
  require(at <= nodes_.size(), "a node is inserted in the list or at its end");
  auto fresh = std::make_unique<ListedNode>(std::move(node));
  const uint64_t before = at == 0 ? 0 : nodes_[at - 1]->order;
  const uint64_t after = at == nodes_.size() ? before + 2 * kGap : nodes_[at]->order;
  fresh->order = before + (after - before) / 2;
  enter(*fresh);
  const auto here = nodes_.insert(nodes_.begin() + static_cast<std::ptrdiff_t>(at), std::move(fresh));
  if (after - before < 2) spread_orders();
  return **here;
}

size_t NodeList::index_of(const Node& node) const {
  require(node.inputs.index_ == index_.get(), "a node that is looked for is in the list");
  const auto at = std::ranges::lower_bound(nodes_, static_cast<const ListedNode&>(node).order, {},
                                           [](const auto& listed) { return listed->order; });
  return static_cast<size_t>(at - nodes_.begin());
}

void NodeList::erase(size_t first, size_t end) {
  for (size_t i = first; i < end; ++i) {
    nodes_[i]->inputs.leave();
    nodes_[i]->outputs.leave();
  }
  nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(first), nodes_.begin() + static_cast<std::ptrdiff_t>(end));
}

void NodeList::erase(const Node& node) {
  const size_t at = index_of(node);
  erase(at, at + 1);
}

void NodeList::erase_if(const std::function<bool(const Node&)>& doomed) {
  std::vector<bool> goes;
  for (const auto& node : nodes_) goes.push_back(doomed(*node));
  Nodes kept;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (goes[i]) {
      nodes_[i]->inputs.leave();
      nodes_[i]->outputs.leave();
    } else {
      kept.push_back(std::move(nodes_[i]));
    }
  }
  nodes_ = std::move(kept);
}

void NodeList::reorder(const std::vector<size_t>& order) {
  require(order.size() == nodes_.size(), "an order has every node");
  Nodes ordered;
  for (size_t i : order) {
    require(nodes_[i] != nullptr, "an order has every node once");
    ordered.push_back(std::move(nodes_[i]));
  }
  nodes_ = std::move(ordered);
  spread_orders();
}

void NodeList::renumber(const std::function<ValueId(ValueId)>& fresh) {
  index_ = std::make_unique<UseDef>();
  for (const auto& node : nodes_) {
    for (ValueList* list : {&node->inputs, &node->outputs})
      for (ValueId& id : list->ids_) id = fresh(id);
    enter(*node);
  }
}

Node* NodeList::producer(ValueId id) const {
  const auto& makers = index_->makers(id);
  return makers.empty() ? nullptr : *std::ranges::min_element(makers, earlier);
}

std::vector<Node*> NodeList::users(ValueId id) const {
  auto readers = index_->readers(id);
  std::ranges::sort(readers, earlier);
  const auto repeated = std::ranges::unique(readers);
  return {readers.begin(), repeated.begin()};
}

Node* NodeList::sole_user(ValueId id) const {
  const auto& readers = index_->readers(id);
  const bool sole = !readers.empty() && std::ranges::all_of(readers, [&](auto* r) { return r == readers[0]; });
  return sole ? readers[0] : nullptr;
}

bool NodeList::is_read(ValueId id) const { return !index_->readers(id).empty(); }

void NodeList::replace_uses(ValueId from, ValueId to) {
  for (Node* node : users(from)) node->inputs.replace(from, to);
}

}  // namespace fold8::ir
