// A node, and the list of a program's nodes, which knows who makes and who reads each value.
//
// That index is kept with every change: operands and results of a listed node change through ValueList's methods alone,
// which tell it. A node that is in no list (one that is being built, or a copy) is a plain struct.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/diag.h"
#include "ir/attrs.h"

namespace fold8::ir {

struct OpDef;
struct ListedNode;
class UseDef;

enum class ValueId : int32_t { none = -1 };  // key of Program::values; `none` = an absent optional operand

// The operands of a node, or its results.
class ValueList {
 public:
  ValueList() = default;
  ValueList(std::initializer_list<ValueId> ids) : ids_(ids) {}
  ValueList(std::vector<ValueId> ids) : ids_(std::move(ids)) {}  // NOLINT: implicit on purpose
  ValueList(const ValueList& other) : ids_(other.ids_) {}        // the copy is in no list of nodes
  ValueList& operator=(const ValueList& other);

  size_t size() const { return ids_.size(); }
  bool empty() const { return ids_.empty(); }
  ValueId operator[](size_t i) const { return ids_[i]; }
  ValueId front() const { return ids_.front(); }
  ValueId back() const { return ids_.back(); }
  auto begin() const { return ids_.begin(); }
  auto end() const { return ids_.end(); }
  operator const std::vector<ValueId>&() const { return ids_; }  // NOLINT: implicit on purpose

  void set(size_t i, ValueId id);
  void push_back(ValueId id);
  void resize(size_t size);  // what is new is absent
  void replace(ValueId from, ValueId to);

 private:
  friend class NodeList;
  void join(UseDef* index, ListedNode* node, bool results);
  void leave();
  void add(ValueId id) const;
  void remove(ValueId id) const;

  std::vector<ValueId> ids_;
  UseDef* index_ = nullptr;  // null: the node is in no list
  ListedNode* node_ = nullptr;
  bool results_ = false;
};

struct Node {
  const OpDef* op = nullptr;
  std::string name;  // unique; the fx node's name where it came from an archive
  ValueList inputs;
  ValueList outputs;
  Attrs attrs;
  std::vector<Place> places;  // every Python line this node stands for

  Place place() const { return places.empty() ? Place{} : places.front(); }
};

// A node in a list. `order` ascends along the list, with gaps for what is inserted later.
struct ListedNode : Node {
  explicit ListedNode(Node node) : Node(std::move(node)) {}
  uint64_t order = 0;
};

// A program's nodes in their order. References to a node hold until it is erased, whatever is inserted elsewhere.
class NodeList {
  using Nodes = std::vector<std::unique_ptr<ListedNode>>;

 public:
  template <class Item>
  class Iterator {
   public:
    using value_type = Node;
    using difference_type = std::ptrdiff_t;
    using reference = Item&;
    using pointer = Item*;
    using iterator_category = std::random_access_iterator_tag;

    Iterator() = default;
    explicit Iterator(Nodes::const_iterator at) : at_(at) {}
    Item& operator*() const { return **at_; }
    Item* operator->() const { return at_->get(); }
    Item& operator[](difference_type n) const { return *at_[n]; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this += -1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    Iterator& operator+=(difference_type n) {
      at_ += n;
      return *this;
    }
    Iterator& operator-=(difference_type n) { return *this += -n; }
    friend Iterator operator+(Iterator it, difference_type n) { return it += n; }
    friend Iterator operator+(difference_type n, Iterator it) { return it += n; }
    friend Iterator operator-(Iterator it, difference_type n) { return it += -n; }
    friend difference_type operator-(const Iterator& a, const Iterator& b) { return a.at_ - b.at_; }
    friend auto operator<=>(const Iterator&, const Iterator&) = default;

   private:
    Nodes::const_iterator at_;
  };

  NodeList();
  ~NodeList();
  NodeList(const NodeList& other);
  NodeList(NodeList&& other) noexcept;
  NodeList& operator=(NodeList other) noexcept;

  size_t size() const { return nodes_.size(); }
  bool empty() const { return nodes_.empty(); }
  Node& operator[](size_t i) { return *nodes_[i]; }
  const Node& operator[](size_t i) const { return *nodes_[i]; }
  Node& back() { return *nodes_.back(); }
  Iterator<Node> begin() { return Iterator<Node>(nodes_.cbegin()); }
  Iterator<Node> end() { return Iterator<Node>(nodes_.cend()); }
  Iterator<const Node> begin() const { return Iterator<const Node>(nodes_.cbegin()); }
  Iterator<const Node> end() const { return Iterator<const Node>(nodes_.cend()); }
  size_t index_of(const Node& node) const;  // of a node of this list

  Node& push_back(Node node) { return insert(size(), std::move(node)); }
  Node& insert(size_t at, Node node);  // before the node that stands there
  void erase(size_t first, size_t end);
  void erase(const Node& node);
  void erase_if(const std::function<bool(const Node&)>& doomed);  // asked of every node before the first one goes
  void reorder(const std::vector<size_t>& order);                 // node order[i] becomes node i
  void renumber(const std::function<ValueId(ValueId)>& fresh);    // every operand and result, in order

  Node* producer(ValueId id) const;             // null: no node makes it
  std::vector<Node*> users(ValueId id) const;   // each node once, in the list's order
  Node* sole_user(ValueId id) const;            // null: none, or several
  bool is_read(ValueId id) const;
  void replace_uses(ValueId from, ValueId to);  // as operands

 private:
  void swap(NodeList& other) noexcept;
  void enter(ListedNode& node);
  void spread_orders();

  Nodes nodes_;
  std::unique_ptr<UseDef> index_;
};

}  // namespace fold8::ir
