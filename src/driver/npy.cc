#include "driver/npy.h"

#include <algorithm>

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
  return error("F8-0401", std::move(message)).in(path.string());
}

// What a user who has such an array should do.
struct Remedy {
  std::string_view dtype;  // without the byte order
  std::string_view what;
};
constexpr Remedy kRemedies[] = {
    {"u1",
     "bytes are not scaled here: hand over what the model was trained on, such as numpy.float32(array) / 255, then "
     "less the mean and over the standard deviation if training had them"},
    {"f8", "numpy.float32(array)"},
    {"f2", "numpy.float32(array)"},
    {"i8", "if they are quantities, numpy.float32(array); a model's inputs are not indices"},
    {"i4", "if they are quantities, numpy.float32(array); a model's inputs are not indices"},
    {"i2", "if they are quantities, numpy.float32(array), scaled as in training"},
    {"b1", "numpy.float32(array)"},
};

Diag bad_dtype(const std::filesystem::path& path, std::string_view dtype) {
  Diag diag = bad(path, fmt::format("has elements of type {}, expected float32 ('<f4') or int8 ('|i1')", dtype));
  if (dtype == "'>f4'") return diag.note("its byte order is the other one: numpy.float32(array)");
  for (const Remedy& remedy : kRemedies)
    if (dtype.size() == 5 && dtype.substr(2, 2) == remedy.dtype) diag.note(std::string(remedy.what));
  return diag;
}

// The text between the header's braces, and where the data begins.
struct Header {
  std::string_view text;
  size_t data = 0;
};

// numpy/lib/format.py: magic, version, length of the text in 2 bytes (version 1) or 4 (2 and 3), text, data.
Result<Header> find_header(const std::filesystem::path& path, std::string_view bytes) {
  constexpr size_t kShortest = 12;
  if (!bytes.starts_with(kMagic)) return bad(path, "is not a .npy file").note("numpy.save(path, array) writes one");
  if (bytes.size() < kShortest) return bad(path, "is cut short");
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
  const size_t version = byte(6);
  if (version < 1 || version > 3)
    return bad(path, fmt::format("is of format version {}; 1 to 3 are read", version))
        .note("numpy.save(path, array) writes one that is");
  const size_t start = version == 1 ? 10 : 12;
  const size_t length = byte(8) + (byte(9) << 8) + (version == 1 ? 0 : (byte(10) << 16) + (byte(11) << 24));
  if (bytes.size() - start < length) return bad(path, "is cut short");
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

// A tuple of Python: "()", "(3,)", "(3, 8)", "(3, 8,)".
std::optional<Shape> parse_shape(std::string_view text) {
  Shape shape;
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
  bool comma = true;  // before this element
  for (text = text.substr(1, text.size() - 2); !text.empty();) {
    int64_t dim = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (!comma || ec != std::errc{} || dim < 0) return std::nullopt;
    shape.push_back(dim);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    comma = text.starts_with(',');
    if (comma) text.remove_prefix(1);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  if (shape.size() == 1 && !comma) return std::nullopt;  // "(3)" is a number
  return shape;
}

// The number of elements, if every part of the shape has one that can be meant: what is cut from an empty array is
// counted too.
std::optional<int64_t> elems_of(Shape shape) {
  const bool empty = std::ranges::count(shape, 0) != 0;
  for (int64_t& dim : shape) dim = std::max<int64_t>(dim, 1);
  const auto elems = checked_elems(shape);
  if (!elems || *elems > kMaxFileBytes) return std::nullopt;
  return empty ? 0 : *elems;
}

}  // namespace

Result<Tensor> read_npy(const std::filesystem::path& path) {
  F8_TRY(const std::string bytes, read_file(path));
  F8_TRY(const Header header, find_header(path, bytes));
  const std::string_view dtype = field(header.text, "descr");
  if (dtype != "'<f4'" && dtype != "'|i1'") return bad_dtype(path, dtype);
  const auto shape = parse_shape(field(header.text, "shape"));
  const auto elems = shape ? elems_of(*shape) : std::nullopt;
  if (!elems)
    return bad(path, fmt::format("has a shape that cannot be read: {}", field(header.text, "shape")))
        .note("numpy.save(path, array) writes one that can");
  if (field(header.text, "fortran_order") != "False")
    return bad(path, "is in Fortran order").note("convert with numpy.ascontiguousarray(array)");
  const Elem elem = dtype == "'<f4'" ? Elem::f32 : Elem::i8;
  const auto size = checked_mul(*elems, static_cast<int64_t>(elem_bytes(elem)));
  if (!size || static_cast<uint64_t>(*size) != bytes.size() - header.data)
    return bad(path, fmt::format("has shape {} but {} bytes of data", shape_text(*shape), bytes.size() - header.data))
        .note("it is cut short, or something was appended: save it again with numpy.save");
  Tensor tensor(elem, *shape);
  if (!tensor.bytes.empty()) std::memcpy(tensor.bytes.data(), bytes.data() + header.data, tensor.bytes.size());
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
