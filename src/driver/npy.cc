#include "driver/npy.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "base/checked.h"
#include "base/files.h"

namespace fold8::driver {
namespace {

using namespace ir;

constexpr std::string_view kMagic = "\x93NUMPY";

Diag bad(const std::filesystem::path& path, std::string message) {
  return error("F8-0401", std::move(message))
      .in(path.string())
      .note("supported: .npy files of float32 or int8 in C order, as numpy.save writes them");
}

// The text between the header's braces, and where the data begins.
struct Header {
  std::string_view text;
  size_t data = 0;
};

std::optional<Header> find_header(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || bytes.size() < 12) return std::nullopt;
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
  const size_t start = byte(6) == 1 ? 10 : 12;
  const size_t length = byte(8) + (byte(9) << 8) + (byte(6) == 1 ? 0 : (byte(10) << 16) + (byte(11) << 24));
  if (bytes.size() < start + length) return std::nullopt;
  return Header{bytes.substr(start, length), start + length};
}

// What stands after 'key': in the header's Python literal, up to the next comma that ends it.
std::string_view field(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest.substr(0, rest.starts_with('(') ? rest.find(')') + 1 : rest.find(','));
}

std::optional<Shape> parse_shape(std::string_view text) {
  Shape shape;
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
  for (text = text.substr(1, text.size() - 2); !text.empty();) {
    int64_t dim = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (ec != std::errc{} || dim < 0) return std::nullopt;
    shape.push_back(dim);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    while (text.starts_with(',') || text.starts_with(' ')) text.remove_prefix(1);
  }
  return shape;
}

}  // namespace

Result<Tensor> read_npy(const std::filesystem::path& path) {
  F8_TRY(const std::string bytes, read_file(path));
  const auto header = find_header(bytes);
  if (!header) return bad(path, "is not a .npy file, or is cut short");
  const std::string_view dtype = field(header->text, "descr");
  if (dtype != "'<f4'" && dtype != "'|i1'")
    return bad(path, fmt::format("has elements of type {}", dtype)).note("convert with array.astype(numpy.float32)");
  const auto shape = parse_shape(field(header->text, "shape"));
  const auto elems = shape ? checked_elems(*shape) : std::nullopt;
  if (!elems) return bad(path, "has a shape that cannot be read");
  if (field(header->text, "fortran_order") != "False")
    return bad(path, "is in Fortran order").note("convert with numpy.ascontiguousarray(array)");
  const Elem elem = dtype == "'<f4'" ? Elem::f32 : Elem::i8;
  const auto size = checked_mul(*elems, static_cast<int64_t>(elem_bytes(elem)));
  if (!size || static_cast<uint64_t>(*size) != bytes.size() - header->data)
    return bad(path, fmt::format("has shape {} but {} bytes of data", shape_text(*shape), bytes.size() - header->data));
  Tensor tensor(elem, *shape);
  if (!tensor.bytes.empty()) std::memcpy(tensor.bytes.data(), bytes.data() + header->data, tensor.bytes.size());
  return tensor;
}

Result<> write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  require(tensor.elem == Elem::f32 || tensor.elem == Elem::i8, "arrays that leave fold8 are float32 or int8");
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                   tensor.elem == Elem::f32 ? "<f4" : "|i1", fmt::join(tensor.shape, ", "),
                                   tensor.shape.size() == 1 ? "," : "");
  const size_t unpadded = kMagic.size() + 4 + header.size() + 1;
  header += std::string((64 - unpadded % 64) % 64, ' ') + "\n";
  std::string bytes(kMagic);
  bytes += '\x01';
  bytes += '\x00';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return write_file(path, bytes);
}

}  // namespace fold8::driver
