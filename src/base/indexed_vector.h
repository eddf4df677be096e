// A vector under an index type of its own, an enum class over an integer: no value's number reads the table of
// something else, and no cast stands where one is read. An index outside is a CompilerBug, never a stray read.
#pragma once

#include <ranges>
#include <utility>
#include <vector>

#include "base/diag.h"

namespace fold8 {

template <class Index, class T>
class IndexedVector {
 public:
  using reference = typename std::vector<T>::reference;
  using const_reference = typename std::vector<T>::const_reference;

  IndexedVector() = default;
  explicit IndexedVector(size_t size, const T& value = T()) : items_(size, value) {}
  IndexedVector(const IndexedVector&) = default;
  IndexedVector(IndexedVector&&) noexcept = default;
  IndexedVector& operator=(IndexedVector other) noexcept {  // asks no assignment of T
    items_.swap(other.items_);
    return *this;
  }
  ~IndexedVector() = default;

  reference operator[](Index i) { return items_[position(i)]; }
  const_reference operator[](Index i) const { return items_[position(i)]; }

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  bool has(Index i) const { return static_cast<size_t>(i) < items_.size(); }
  void resize(size_t size) { items_.resize(size); }
  Index push_back(T item) {
    items_.push_back(std::move(item));
    return static_cast<Index>(items_.size() - 1);
  }

  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

  // Every index, ascending.
  auto keys() const {
    return std::views::iota(size_t{0}, size()) | std::views::transform([](size_t i) { return static_cast<Index>(i); });
  }

 private:
  size_t position(Index i) const {
    if (!has(i)) throw CompilerBug("an index lies in its vector");
    return static_cast<size_t>(i);
  }

  std::vector<T> items_;
};

}  // namespace fold8
