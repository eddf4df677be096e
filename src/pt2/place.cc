#include "pt2/place.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

struct Frame {
  std::string_view path;
  int line = 0;
  std::string_view function;
  std::string_view text;
};

int parse_line_number(std::string_view digits) {
  constexpr int kBeyondAnyFile = 100'000'000;
  int number = 0;
  for (char c : digits) {
    if (c < '0' || c > '9' || number > kBeyondAnyFile) return 0;
    number = number * 10 + (c - '0');
  }
  return number;
}

// `File "net.py", line 41, in forward`
std::optional<Frame> parse_frame(std::string_view row) {
  constexpr std::string_view kFile = "File \"";
  constexpr std::string_view kLine = "\", line ";
  constexpr std::string_view kIn = ", in ";
  row = trim(row);
  const size_t line = row.find(kLine);
  if (!row.starts_with(kFile) || line == std::string_view::npos) return std::nullopt;
  Frame frame;
  frame.path = row.substr(kFile.size(), line - kFile.size());
  const std::string_view tail = row.substr(line + kLine.size());
  const size_t in = tail.find(kIn);
  frame.line = parse_line_number(tail.substr(0, in));
  if (in != std::string_view::npos) frame.function = tail.substr(in + kIn.size());
  return frame;
}

// A frame inside torch says "return F.linear(input, self.weight, self.bias)", whoever called it; "<eval_with_key>" is
// code that torch made.
bool is_torch_itself(std::string_view path) {
  std::string slashed("/");
  slashed.append(path);
  std::ranges::replace(slashed, '\\', '/');
  const auto within = [&](const char* part) { return slashed.find(part) != std::string::npos; };
  return path.starts_with('<') || within("-packages/torch/") || within("-packages/torchao/") ||
         within("-packages/executorch/") || within("/torch/nn/");
}

// The innermost frame of the model's own code.
std::optional<Frame> innermost_frame(std::string_view stack_trace) {
  std::optional<Frame> own;
  std::optional<Frame> last;
  for (std::string_view row : split(stack_trace, '\n')) {
    if (auto frame = parse_frame(row)) {
      last = frame;
      if (!is_torch_itself(frame->path)) own = frame;
    } else if (last && last->text.empty()) {
      last->text = trim(row);
      if (own && own->path == last->path && own->line == last->line) own->text = last->text;
    }
  }
  return own;
}

std::string_view after_last(std::string_view text, std::string_view separators) {
  return text.substr(text.find_last_of(separators) + 1);  // npos + 1 = 0: all of it
}

// "L__self__,,net.DsCnn;L__self___stem,stem,torch.nn.modules.conv.Conv2d" -> "DsCnn.forward > stem (Conv2d)".
std::string module_path_of(std::string_view nn_module_stack) {
  std::string out;
  std::string_view parent;
  for (std::string_view entry : split(nn_module_stack, ';')) {
    const auto fields = split(entry, ',');
    if (fields.size() != 3) return "";
    const std::string_view class_name = after_last(fields[2], ".");
    if (fields[2].find("torch.export._trace") != std::string_view::npos) return "";  // torch's wrapper: says nothing
    if (out.empty()) {
      out = std::string(class_name) + ".forward";
    } else {
      std::string_view name = fields[1];
      if (!parent.empty() && name.size() > parent.size() && name.starts_with(parent) && name[parent.size()] == '.')
        name.remove_prefix(parent.size() + 1);
      out += " > " + std::string(name) + " (" + std::string(class_name) + ")";
    }
    parent = fields[1];
  }
  return printable(out);
}

std::string_view text_member(const Json* metadata, const char* key) {
  const Json* value = metadata == nullptr ? nullptr : find(*metadata, key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_ref<const std::string&>())
                                                : std::string_view();
}

}  // namespace

Place place_of(const Json* metadata, std::string_view node) {
  Place place;
  place.node = printable(node);
  place.module_path = module_path_of(text_member(metadata, "nn_module_stack"));
  if (const auto frame = innermost_frame(text_member(metadata, "stack_trace"))) {
    place.source_file = printable(after_last(frame->path, "/\\"));
    place.source_line = frame->line;
    place.source_text = printable(frame->text);
    place.function = printable(frame->function);
  }
  return place;
}

}  // namespace fold8::pt2
