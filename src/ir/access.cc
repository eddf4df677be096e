#include "ir/access.h"

#include <algorithm>

#include "ir/op.h"

namespace fold8::ir {

int64_t WindowAxis::start(int64_t window) const { return adaptive ? window * in / out : window * stride - before; }

int64_t WindowAxis::stop(int64_t window) const {
  return adaptive ? ((window + 1) * in + out - 1) / out : start(window) + (kernel - 1) * dilation + 1;
}

std::vector<int64_t> WindowAxis::taps(int64_t window) const {
  std::vector<int64_t> list;
  for (int64_t i = start(window); i < stop(window); i += dilation)
    if (i >= 0 && i < in) list.push_back(i);
  return list;
}

int64_t WindowAxis::counted(int64_t window, bool padding) const {
  const int64_t from = padding ? -before : 0;
  const int64_t to = padding ? in + after : in;
  return std::min(stop(window), to) - std::max(start(window), from);
}

int64_t WindowAxis::most_taps() const { return std::min(adaptive ? in / out + 2 : kernel, in); }

namespace {

// Appends what the window of output pixel (oy, ox) covers of image n, row by row.
void add_window(const Windows& w, int64_t n, int64_t oy, int64_t ox, int64_t step, std::vector<Touch>& all) {
  const auto& [rows, columns] = w.axes;
  const int64_t from = std::max<int64_t>(columns.start(ox), 0);
  const int64_t to = std::min(columns.stop(ox), columns.in);
  if (from >= to) return;
  for (int64_t iy : rows.taps(oy)) {
    const int64_t row = (n * rows.in + iy) * columns.in;
    all.push_back({step, false, 0, (row + from) * w.ins, (row + to) * w.ins});
  }
}

// Activations of the result's size go element by element; one that is broadcast is read to the end.
std::vector<Touch> element_touches(const Program& p, const Node& node, std::optional<int64_t> row) {
  const Type& y = p.type(node.outputs[0]);
  const int64_t width = row ? y.elems() / y.shape[1] : y.elems();
  const int64_t begin = row ? *row * width : 0;
  const auto touch = [&](int64_t i, bool write, size_t index, ValueId id) {
    const auto bytes = static_cast<int64_t>(elem_bytes(p.type(id).elem));
    return Touch{i, write, index, i * bytes, (i + 1) * bytes};
  };
  const auto is_activation = [&](ValueId id) { return id != ValueId::none && !p[id].is_constant(); };
  std::vector<Touch> all;
  for (int64_t i = begin; i < begin + width; ++i) {
    for (size_t k = 0; k < node.inputs.size(); ++k)
      if (const ValueId id = node.inputs[k]; is_activation(id) && p.type(id).elems() == y.elems())
        all.push_back(touch(i, false, k, id));
    all.push_back(touch(i, true, 0, node.outputs[0]));
  }
  for (size_t k = 0; k < node.inputs.size(); ++k)
    if (const ValueId id = node.inputs[k]; is_activation(id) && p.type(id).elems() != y.elems())
      all.push_back({begin + width, false, k, 0, static_cast<int64_t>(p.type(id).bytes())});
  return all;
}

}  // namespace

std::vector<Touch> window_touches(const Windows& w, std::optional<int64_t> row, int64_t passes, bool reads_first) {
  const auto& [rows, columns] = w.axes;
  const int64_t outs = w.outs / passes;
  std::vector<Touch> all;
  int64_t step = 0;
  for (int64_t n = 0; n < w.images; ++n)
    for (int64_t oy = row.value_or(0); oy < (row ? *row + 1 : rows.out); ++oy)
      for (int64_t pass = 0; pass < passes; ++pass)
        for (int64_t ox = 0; ox < columns.out; ++ox, step += 2) {
          const int64_t y = ((n * rows.out + oy) * columns.out + ox) * w.outs + pass * outs;
          if (reads_first) add_window(w, n, oy, ox, step, all);
          all.push_back({step, true, 0, y, y + outs});
          if (!reads_first) add_window(w, n, oy, ox, step + 1, all);
        }
  return all;
}

std::vector<Touch> touches_of(const Program& p, const Node& node, const target::Target& target,
                              std::optional<int64_t> row) {
  const Access& access = node.op->access;
  if (access.touches != nullptr) return access.touches(p, node, target, row);
  if (access.elementwise) return element_touches(p, node, row);
  if (access.windows == nullptr) return {};
  const auto windows = access.windows(p, node);
  require(windows.has_value(), "kernels slide windows over images with channels last");
  return window_touches(*windows, row, 1, /*reads_first=*/false);
}

}  // namespace fold8::ir
