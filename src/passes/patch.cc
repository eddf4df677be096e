// patch(): the first stage of a program, tile by tile. Each tile of the stage's result is computed from the part of
// each value that it needs, so that only tiles of the values between exist at a time; what neighbouring tiles both need
// is computed twice. Every window sees the same elements as before, so every number is the same.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "passes/passes.h"

namespace fold8::passes {
namespace {

using namespace ir;

// Rows or columns [begin, end) of an image.
struct Span {
  int64_t begin = INT64_MAX;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
  void include(const Span& other) {
    begin = std::min(begin, other.begin);
    end = std::max(end, other.end);
  }
  friend bool operator==(const Span&, const Span&) = default;
};

using Box = std::array<Span, 2>;  // rows, columns

bool is_image(const Program& p, ValueId id) {
  const Shape& shape = p.type(id).shape;
  return shape.size() == 4 && shape[0] == 1 && p.type(id).elems() > 0;
}

Box whole(const Program& p, ValueId id) { return {Span{0, p.type(id).shape[1]}, Span{0, p.type(id).shape[2]}}; }

// A constant that is the same at every pixel.
bool spreads(const Program& p, ValueId id) {
  const Shape& shape = p.type(id).shape;
  return shape.size() < 2 || (shape[shape.size() - 2] == 1 && (shape.size() < 3 || shape[shape.size() - 3] == 1));
}

// Whether a node's result can be computed in tiles, from tiles of its operands.
bool works_in_tiles(const Program& p, const Node& node) {
  if (node.outputs.size() != 1 || !is_image(p, node.outputs[0])) return false;
  if (node.op->access.windows != nullptr) {
    const auto windows = node.op->access.windows(p, node);
    return is_image(p, node.inputs[0]) && windows && windows->tiles;
  }
  if (!node.op->access.elementwise) return false;
  return std::ranges::all_of(node.inputs, [&](ValueId id) {
    return id == ValueId::none ||
           (p[id].is_constant() ? spreads(p, id) : p.type(id).shape == p.type(node.outputs[0]).shape);
  });
}

// Activations that nodes [first, end) read from before, and those of theirs that others read.
std::set<ValueId> values_in(const Program& p, size_t first, size_t end) {
  std::set<ValueId> read, made;
  for (size_t i = first; i < end; ++i) {
    for (ValueId id : p.nodes[i].inputs)
      if (id != ValueId::none && !p[id].is_constant() && !made.contains(id)) read.insert(id);
    made.insert(p.nodes[i].outputs[0]);
  }
  return read;
}

std::set<ValueId> values_out(const Program& p, size_t first, size_t end) {
  std::set<ValueId> left;
  for (size_t i = first; i < end; ++i) {
    const ValueId id = p.nodes[i].outputs[0];
    const std::vector<const Node*> users = p.users(id);
    if (p.is_output(id) || (!users.empty() && p.nodes.index_of(*users.back()) >= end))
      left.insert(id);
  }
  return left;
}

class Patcher {
 public:
  Patcher(Program& p, const CoreOps& core, const Stage& stage) : p_(p), core_(core), stage_(stage) {
    for (size_t i = stage.first; i < stage.end; ++i) nodes_.push_back(p.nodes[i]);
  }

  // rows or columns > 1
  void run(int64_t rows, int64_t columns) {
    const ValueId result = nodes_.back().outputs[0];
    const Box image = whole(p_, result);
    std::vector<ValueId> bands;
    for (int64_t r = 0; r < rows; ++r) {
      std::vector<ValueId> tiles;
      for (int64_t c = 0; c < columns; ++c) {
        suffix_ = fmt::format(".r{}c{}", r, c);
        tiles.push_back(tile({part(image[0], r, rows), part(image[1], c, columns)}));
      }
      suffix_ = fmt::format(".r{}", r);
      bands.push_back(joined(tiles, 2));
    }
    joined(bands, 1);
    made_.back().outputs = {result};
    made_.back().name = nodes_.back().name;
    p_.nodes.erase(stage_.first, stage_.end);
    for (size_t i = 0; i < made_.size(); ++i) p_.nodes.insert(stage_.first + i, std::move(made_[i]));
    p_.compact();
  }

 private:
  static Span part(const Span& all, int64_t i, int64_t parts) {
    return {i * all.size() / parts, (i + 1) * all.size() / parts};
  }

  // Rows or columns of an operand that those of a result see.
  static Span seen(const WindowAxis& axis, const Span& result, const Span& image) {
    const int64_t begin = result.begin * axis.stride - axis.before;
    const int64_t end = (result.end - 1) * axis.stride - axis.before + (axis.kernel - 1) * axis.dilation + 1;
    return {std::clamp(begin, image.begin, image.end - 1), std::clamp(end, image.begin + 1, image.end)};
  }

  Box seen(const Node& node, const Box& result) const {
    if (node.op->access.windows == nullptr) return result;
    const Windows windows = *node.op->access.windows(p_, node);
    const Box image = whole(p_, node.inputs[0]);
    return {seen(windows.axes[0], result[0], image[0]), seen(windows.axes[1], result[1], image[1])};
  }

  // Computes one tile of the stage's result.
  ValueId tile(const Box& box) {
    std::map<ValueId, Box> needed;
    needed[nodes_.back().outputs[0]] = box;
    for (size_t i = nodes_.size(); i-- > 0;) {
      const Node& node = nodes_[i];
      const auto result = needed.find(node.outputs[0]);
      for (ValueId id : node.inputs) {
        if (id == ValueId::none || p_[id].is_constant() || result == needed.end()) continue;
        const Box sees = seen(node, result->second);
        for (size_t a : {0u, 1u}) needed[id][a].include(sees[a]);
      }
    }
    std::map<ValueId, Part> have;
    for (ValueId id : values_in(p_, stage_.first, stage_.end)) have[id] = {id, whole(p_, id)};
    for (const Node& node : nodes_)
      if (const auto result = needed.find(node.outputs[0]); result != needed.end())
        have[node.outputs[0]] = clone(node, result->second, have);
    return have.at(nodes_.back().outputs[0]).value;
  }

  // A value that holds the elements `box` of another.
  struct Part {
    ValueId value = ValueId::none;
    Box box;
  };

  Part clone(const Node& original, const Box& box, const std::map<ValueId, Part>& have) {
    Node node = original;
    const Box sees = seen(original, box);
    const bool crops = node.op->access.windows != nullptr && node.op->access.windows(p_, original)->crops;
    Box operand = sees;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == ValueId::none || p_[id].is_constant()) continue;
      Part x = have.at(id);
      if (x.box != sees && !crops) x = cut(x, sees);
      operand = x.box;
      node.inputs.set(i, x.value);
    }
    if (node.op->access.windows != nullptr) set_padding(node, *original.op->access.windows(p_, original), box, operand);
    return {add(std::move(node), box, original.outputs[0]), box};
  }

  // Window i of the result's part begins where window box.begin + i of the whole did; the last one ends where the
  // padding does.
  static void set_padding(Node& node, const Windows& windows, const Box& box, const Box& operand) {
    std::vector<int64_t> pad;
    for (size_t a : {0u, 1u}) {
      const WindowAxis& axis = windows.axes[a];
      const int64_t before = axis.before - box[a].begin * axis.stride + operand[a].begin;
      const int64_t reach = (box[a].size() - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
      pad.push_back(before);
      pad.push_back(reach - operand[a].size() - before);
    }
    node.attrs.set("pad", pad);
  }

  Part cut(Part x, const Box& box) {
    for (size_t a : {0u, 1u}) {
      if (x.box[a] == box[a]) continue;
      Node node;
      node.op = core_.slice;
      node.name = p_[x.value].name + ".cut";
      node.inputs = {x.value};
      node.attrs.set("dim", static_cast<int64_t>(a + 1));
      node.attrs.set("start", box[a].begin - x.box[a].begin);
      node.attrs.set("end", box[a].end - x.box[a].begin);
      node.attrs.set("step", int64_t{1});
      const ValueId from = x.value;
      x.box[a] = box[a];
      x.value = add(std::move(node), x.box, from);
    }
    return x;
  }

  ValueId joined(const std::vector<ValueId>& parts, size_t dim) {
    if (parts.size() == 1) return parts[0];
    Box box{Span{0, 0}, Span{0, 0}};
    for (ValueId id : parts)
      for (size_t a : {0u, 1u}) {
        const int64_t size = p_.type(id).shape[a + 1];
        box[a].end = a + 1 == dim ? box[a].end + size : size;
      }
    Node node;
    node.op = core_.cat;
    node.name = p_[nodes_.back().outputs[0]].name;
    node.inputs = parts;
    node.attrs.set("dim", static_cast<int64_t>(dim));
    return add(std::move(node), box, nodes_.back().outputs[0]);
  }

  // Appends a node whose result is the elements `box` of an image like `like`.
  ValueId add(Node node, const Box& box, ValueId like) {
    Type type = p_.type(like);
    type.shape[1] = box[0].size();
    type.shape[2] = box[1].size();
    node.outputs = {p_.add_value(p_[like].name + suffix_, type)};
    node.name += suffix_;
    made_.push_back(std::move(node));
    return made_.back().outputs[0];
  }

  Program& p_;
  const CoreOps& core_;
  Stage stage_;
  std::vector<Node> nodes_;  // of the stage
  std::vector<Node> made_;
  std::string suffix_;  // of names
};

}  // namespace

std::vector<Stage> patchable_stages(const Program& p) {
  std::vector<Stage> stages;
  size_t first = 0;
  while (first < p.nodes.size() && !works_in_tiles(p, p.nodes[first])) ++first;
  for (size_t end = first + 1; end <= p.nodes.size() && works_in_tiles(p, p.nodes[end - 1]); ++end) {
    const std::set<ValueId> out = values_out(p, first, end);
    if (values_in(p, first, end).size() == 1 && out.size() == 1 && *out.begin() == p.nodes[end - 1].outputs[0])
      stages.push_back({first, end});
  }
  return stages;
}

void patch(Program& program, const CoreOps& core, const Stage& stage, int64_t rows, int64_t columns) {
  const Shape& image = program.type(program.nodes[stage.end - 1].outputs[0]).shape;
  rows = std::min(rows, image[1]);
  columns = std::min(columns, image[2]);
  if (rows > 1 || columns > 1) Patcher(program, core, stage).run(rows, columns);
}

}  // namespace fold8::passes
