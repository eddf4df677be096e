// Which bytes of its operands and results an op's kernel reads and writes, and in what order: one description, from
// which passes and the planner derive tiles, rows in turns, results over operands, and how close one may trail another.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "ir/program.h"

namespace fold8::target {
struct Target;
}

namespace fold8::ir {

// A result that can lie in an operand's bytes, or an operand in a result's: address(result) = address(operand) + delta.
// A reshape has delta 0, a slice of the outermost dimension a positive one, operand k of a concatenation along it the
// negative sum of the sizes before it. The shared bytes hold the same data in both.
struct Overlay {
  size_t operand = 0;
  size_t result = 0;
  int64_t delta_bytes = 0;
};

// One access of a kernel to bytes [begin, end) of an operand or a result. Of what a step touches, all is read before
// anything is written.
struct Touch {
  int64_t step = 0;  // ascending
  bool write = false;
  size_t index = 0;  // of the operand or the result
  int64_t begin = 0;
  int64_t end = 0;
};

// Windows along one dimension of an image: result i of `out` sees the elements of `in` at start(i), start(i) +
// dilation, ... before stop(i), as far as they exist.
struct WindowAxis {
  int64_t in = 0;
  int64_t out = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t before = 0;  // padding
  int64_t after = 0;
  int64_t dilation = 1;
  bool adaptive = false;  // windows [floor(i * in / out), ceil((i + 1) * in / out)); the numbers from `kernel` on unused

  int64_t start(int64_t window) const;
  int64_t stop(int64_t window) const;
  std::vector<int64_t> taps(int64_t window) const;  // elements of the image under it
  // Elements that an average counts, padding too or not; what hangs over it never.
  int64_t counted(int64_t window, bool padding) const;
  int64_t most_taps() const;
};

// Of rows and columns of operand 0, [images, rows, columns, ins], for the result [images, ..., outs].
struct Windows {
  std::array<WindowAxis, 2> axes;
  int64_t images = 1;
  int64_t ins = 0;
  int64_t outs = 0;
  bool tiles = true;   // the attribute pad=[top,bottom,left,right] says all of them, so that a part is a node of its own
  bool crops = false;  // padding may be negative: windows then begin, or end, inside the operand
};

struct Access {
  // Element i of the result sees elements i of the operands only: it may overwrite an operand of its own size that
  // nobody reads later, and tiles and rows are of the same place.
  bool elementwise = false;

  // Of ops that slide windows over operand 0, an image with channels last. Nullopt: this node's are not of that kind.
  // Null: none.
  std::optional<Windows> (*windows)(const Program&, const Node&) = nullptr;

  // Pairs of operand and result that may be the same bytes, so that nothing need move. Null: none. plan/ grants what it
  // can; calls() sees from the offsets what was granted.
  std::vector<Overlay> (*overlays)(const Program&, const Node&) = nullptr;

  // The order in which the kernel reads its operands and writes its results: of output row `row` alone (images of one,
  // channels last), or of everything. Null: element by element of elementwise ops, pixel by pixel under windows, each
  // written while its window is still read; of others any order.
  std::vector<Touch> (*touches)(const Program&, const Node&, const target::Target&,
                                std::optional<int64_t> row) = nullptr;

  // Whether how close a result may trail its operand follows from the order; of elementwise ops the rest says all.
  constexpr bool trails() const { return !elementwise && (touches != nullptr || windows != nullptr); }
};

// The order of a node's accesses, as its op says or as it follows from elements or windows. Empty: any order.
std::vector<Touch> touches_of(const Program& program, const Node& node, const target::Target& target,
                              std::optional<int64_t> row);

// Pixel by pixel, `passes` times over each row of results, each of some of the channels. A pixel is written before its
// window is read, or after.
std::vector<Touch> window_touches(const Windows& windows, std::optional<int64_t> row, int64_t passes, bool reads_first);

}  // namespace fold8::ir
