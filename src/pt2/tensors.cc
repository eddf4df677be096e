#include "pt2/tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/checked.h"
#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

static_assert(std::endian::native == std::endian::little, "stored tensors are little-endian and copied as they are");

// Of one value, and of all constants together: far beyond what a microcontroller addresses.
constexpr int64_t kMaxTensorBytes = int64_t{256} << 20;
constexpr int64_t kMaxDim = (int64_t{1} << 31) - 1;
constexpr size_t kMaxRank = 16;
constexpr int64_t kMaxConfigBytes = int64_t{64} << 20;
constexpr int64_t kStridedLayout = 7;  // torch/_export/serde/schema.py, Layout

struct Dtype {
  int64_t code;  // schema.py, ScalarType; not c10's numbers
  const char* name;
  std::optional<ir::Elem> elem;
};

constexpr Dtype kDtypes[] = {
    {1, "uint8", ir::Elem::u8},    {2, "int8", ir::Elem::i8},   {3, "int16", ir::Elem::i16},
    {4, "int32", ir::Elem::i32},   {5, "int64", ir::Elem::i64}, {6, "float16", {}},
    {7, "float32", ir::Elem::f32}, {8, "float64", {}},          {9, "complex32", {}},
    {10, "complex64", {}},         {11, "complex128", {}},      {12, "bool", ir::Elem::boolean},
    {13, "bfloat16", {}},          {28, "uint16", {}},          {29, "float8_e4m3fn", {}},
    {30, "float8_e5m2", {}},       {31, "float8_e4m3fnuz", {}}, {32, "float8_e5m2fnuz", {}},
    {33, "float8_e8m0fnu", {}},    {34, "uint32", {}},          {35, "uint64", {}},
};

Result<ir::Elem> elem_of(const Json& meta) {
  F8_TRY(const Json* dtype, member(meta, "dtype"));
  F8_TRY(const int64_t code, to_int(*dtype, "'dtype'"));
  for (const Dtype& known : kDtypes) {
    if (known.code != code) continue;
    if (known.elem) return *known.elem;
    return error("F8-0107", fmt::format("dtype {} is not supported", known.name))
        .note("supported: float32, int8, int16, int32, int64, uint8, bool");
  }
  return error("F8-0107", fmt::format("dtype number {} is unknown", code));
}

Diag misfit(std::string what) { return error("F8-0108", std::move(what)); }

// Bytes of a dense tensor of that type, if it is of a size that can be meant.
Result<int64_t> dense_bytes(ir::Elem elem, const ir::Shape& sizes) {
  if (sizes.size() > kMaxRank) return misfit(fmt::format("{} dimensions; at most {} are read", sizes.size(), kMaxRank));
  for (int64_t dim : sizes)
    if (dim < 0 || dim > kMaxDim) return misfit(fmt::format("a dimension of size {}", dim));
  const auto elems = checked_elems(sizes);
  const auto bytes = elems ? checked_mul(*elems, static_cast<int64_t>(ir::elem_bytes(elem))) : std::nullopt;
  if (!bytes || *bytes > kMaxTensorBytes)
    return misfit(fmt::format("shape {} needs more than {} bytes", ir::shape_text(sizes), kMaxTensorBytes));
  return *bytes;
}

// A tensor in a storage: element (i, j, ...) is at offset + i * strides[0] + j * strides[1] + ..., counted in elements.
struct Layout {
  ir::Elem elem = ir::Elem::f32;
  ir::Shape sizes;
  std::vector<int64_t> strides;
  int64_t offset = 0;
  int64_t bytes = 0;  // once dense

  std::string key(const std::string& file) const {
    return fmt::format("{} {} {}+{}*{}", file, ir::elem_name(elem), ir::shape_text(sizes), offset,
                       ir::shape_text(strides));
  }
};

Result<int64_t> plain_int(const Json& value, std::string_view what) {
  F8_TRY(const Union number, to_union(value, what));
  if (number.kind != "as_int") return misfit(fmt::format("{} is symbolic; a stored tensor has a fixed shape", what));
  return to_int(*number.value, what);
}

Result<std::vector<int64_t>> plain_ints(const Json& meta, std::string_view key) {
  F8_TRY(const Json* list, array_member(meta, key));
  std::vector<int64_t> out;
  for (const Json& entry : *list) {
    F8_TRY(const int64_t value, plain_int(entry, fmt::format("an entry of '{}'", key)));
    out.push_back(value);
  }
  return out;
}

Result<Layout> read_layout(const Json& meta) {
  Layout layout;
  if (const Json* kind = find(meta, "layout"); kind != nullptr && *kind != kStridedLayout)
    return error("F8-0107", "the tensor's layout is not strided (sparse and MKL-DNN tensors are not read)");
  F8_TRY(layout.elem, elem_of(meta));
  F8_TRY(layout.sizes, plain_ints(meta, "sizes"));
  F8_TRY(layout.strides, plain_ints(meta, "strides"));
  F8_TRY(const Json* offset, member(meta, "storage_offset"));
  F8_TRY(layout.offset, plain_int(*offset, "'storage_offset'"));
  if (layout.sizes.size() != layout.strides.size())
    return misfit(fmt::format("{} sizes with {} strides", layout.sizes.size(), layout.strides.size()));
  for (size_t d = 0; d < layout.sizes.size(); ++d)
    if (layout.sizes[d] == 1) layout.strides[d] = 0;  // never stepped; torch leaves anything there
  F8_TRY(layout.bytes, dense_bytes(layout.elem, layout.sizes));
  return layout;
}

// Does every element of `layout` lie within `storage_bytes`?
Result<> check_fits(const Layout& layout, int64_t storage_bytes) {
  const auto item = static_cast<int64_t>(ir::elem_bytes(layout.elem));
  if (storage_bytes % item != 0)
    return misfit(fmt::format("{} bytes are no whole number of {}-byte elements", storage_bytes, item));
  if (layout.offset < 0) return misfit(fmt::format("storage offset {}", layout.offset));
  std::optional<int64_t> last = layout.offset;
  for (size_t d = 0; d < layout.sizes.size(); ++d) {
    if (layout.strides[d] < 0) return misfit(fmt::format("stride {}", layout.strides[d]));
    if (layout.sizes[d] == 0) return ok;  // no element at all
    const auto reach = checked_mul(layout.sizes[d] - 1, layout.strides[d]);
    last = last && reach ? checked_add(*last, *reach) : std::nullopt;
  }
  if (!last || *last >= storage_bytes / item) {
    return misfit(fmt::format("shape {}, strides {}, offset {} reach beyond {} stored bytes",
                              ir::shape_text(layout.sizes), ir::shape_text(layout.strides), layout.offset,
                              storage_bytes));
  }
  return ok;
}

// Copies one row: `count` elements of `item` bytes that are `stride` elements apart.
void copy_row(std::byte* to, const char* from, int64_t count, int64_t stride, size_t item) {
  if (stride == 1 || count == 1) {
    std::memcpy(to, from, static_cast<size_t>(count) * item);
    return;
  }
  const auto step = static_cast<size_t>(stride) * item;
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(to + static_cast<size_t>(i) * item, from + static_cast<size_t>(i) * step, item);
}

// Copies `layout` out of `storage`, last dimension fastest. check_fits() has seen to the bounds.
ir::Tensor gather(const Layout& layout, const std::string& storage) {
  ir::Tensor tensor(layout.elem, layout.sizes);
  const size_t item = ir::elem_bytes(layout.elem);
  const int64_t row = layout.sizes.empty() ? 1 : layout.sizes.back();
  const int64_t row_stride = layout.sizes.empty() ? 1 : layout.strides.back();
  const size_t outer = layout.sizes.empty() ? 0 : layout.sizes.size() - 1;  // dimensions around a row
  std::vector<int64_t> index(outer, 0);
  int64_t from = layout.offset;
  for (size_t to = 0; to < tensor.bytes.size(); to += static_cast<size_t>(row) * item) {
    copy_row(tensor.bytes.data() + to, storage.data() + static_cast<size_t>(from) * item, row, row_stride, item);
    for (size_t d = outer; d-- > 0;) {
      from += layout.strides[d];
      if (++index[d] < layout.sizes[d]) break;
      from -= layout.strides[d] * layout.sizes[d];
      index[d] = 0;
    }
  }
  return tensor;
}

// A bool read from bytes other than 0 and 1 is undefined behaviour in C++; torch takes any other byte as true.
void normalise_booleans(ir::Tensor& tensor) {
  if (tensor.elem != ir::Elem::boolean) return;
  for (std::byte& b : tensor.bytes) b = std::byte{b != std::byte{0}};
}

const char* folder_of(Store store) { return store == Store::weights ? "data/weights/" : "data/constants/"; }

Result<Json> read_config(const Archive& archive, Store store, const std::string& model) {
  const char* file = store == Store::weights ? "_weights_config.json" : "_constants_config.json";
  const std::string entry = folder_of(store) + model + file;
  if (!archive.has(entry) && archive.has(folder_of(store) + model + ".pt")) {
    return error("F8-0103", "the archive keeps its weights as a pickle, which fold8 does not open")
        .note(
            "it was written by torch 2.8; re-save it with torch >= 2.9: torch.export.save(torch.export.load(path), "
            "path)");
  }
  F8_TRY(Json config, read_json(archive, entry, kMaxConfigBytes));
  F8_CHECK(object_member(config, "config"));
  return Json(std::move(config["config"]));
}

}  // namespace

Result<ir::Type> value_type(const Json& tensor_meta, const Symbols& symbols) {
  F8_TRY(const ir::Elem elem, elem_of(tensor_meta));
  F8_TRY(const Json* sizes, array_member(tensor_meta, "sizes"));
  ir::Type type{elem, {}, {}};
  for (const Json& entry : *sizes) {
    F8_TRY(const int64_t size, symbols.size(entry, "an entry of 'sizes'"));
    type.shape.push_back(size);
  }
  F8_CHECK(dense_bytes(type.elem, type.shape));
  return type;
}

Result<Constants> Constants::open(const Archive& archive, const std::string& model) {
  Constants constants(archive);
  for (Store store : {Store::weights, Store::constants}) {
    F8_TRY(constants.configs_[static_cast<size_t>(store)], read_config(archive, store, model));
  }
  return constants;
}

Result<ir::TensorPtr> Constants::load(Store store, const std::string& name) {
  const Json* payload = find(configs_[static_cast<size_t>(store)], name);
  if (payload == nullptr) return error("F8-0105", fmt::format("no stored tensor '{}'", printable(name)));
  if (const Json* pickled = find(*payload, "use_pickle"); pickled != nullptr && *pickled == true) {
    return error("F8-0103",
                 fmt::format("tensor '{}' is stored as a pickle, which fold8 does not open", printable(name)))
        .note("tensor subclasses are stored so; quantize with PT2E (convert_pt2e), which leaves plain int8 tensors");
  }
  F8_TRY(const Json* meta, object_member(*payload, "tensor_meta"));
  F8_TRY(const Layout layout, read_layout(*meta));
  F8_TRY(const std::string path, string_member(*payload, "path_name"));

  const std::string file = folder_of(store) + path;
  ir::TensorPtr& known = loaded_[layout.key(file)];
  if (known != nullptr) return known;
  F8_TRY(const std::string* storage, storage_of(file));
  F8_CHECK(check_fits(layout, static_cast<int64_t>(storage->size())));
  if (layout.bytes > kMaxTensorBytes - loaded_bytes_ || !archive_->allowance().take(layout.bytes))
    return misfit(fmt::format("the program's constants need more than {} bytes; {} are left for shape {}, of this file",
                              loaded_bytes_, std::min(kMaxTensorBytes - loaded_bytes_, archive_->allowance().left()),
                              ir::shape_text(layout.sizes)));
  loaded_bytes_ += layout.bytes;
  ir::Tensor tensor = gather(layout, *storage);
  normalise_booleans(tensor);
  known = std::make_shared<const ir::Tensor>(std::move(tensor));
  return known;
}

// Unpacked once, however many tensors share it.
Result<const std::string*> Constants::storage_of(const std::string& file) {
  const auto known = storages_.find(file);
  if (known != storages_.end()) return &known->second;
  F8_TRY(std::string bytes, archive_->read(file));
  require(archive_->allowance().take(static_cast<int64_t>(bytes.size())), "read() keeps to the allowance");
  return &storages_.emplace(file, std::move(bytes)).first->second;
}

}  // namespace fold8::pt2
