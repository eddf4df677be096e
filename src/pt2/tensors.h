// Tensors of an archive: what the JSON says of one, and the constants stored beside it.
// A stored file is a whole storage that several tensors may share; each is copied out dense, row-major.
#pragma once

#include <map>
#include <string>

#include "ir/type.h"
#include "pt2/archive.h"
#include "pt2/json.h"
#include "pt2/symbols.h"

namespace fold8::pt2 {

// Element kind and shape of a value of the graph, symbols replaced by their sizes. Strides say nothing about meaning.
Result<ir::Type> value_type(const Json& tensor_meta, const Symbols& symbols);

enum class Store { weights, constants };  // state_dict entries; lifted constants and buffers outside the state_dict

class Constants {
 public:
  // `model` is the program's name in the archive: the stem of models/<model>.json.
  static Result<Constants> open(const Archive& archive, const std::string& model);

  // The tensor of that fully qualified name. Tensors over the same bytes come back as one.
  Result<ir::TensorPtr> load(Store store, const std::string& name);

 private:
  explicit Constants(const Archive& archive) : archive_(&archive) {}

  Result<const std::string*> storage_of(const std::string& file);

  const Archive* archive_;
  Json configs_[2];  // by Store
  int64_t loaded_bytes_ = 0;
  std::map<std::string, std::string> storages_;  // by file
  std::map<std::string, ir::TensorPtr> loaded_;  // by file and layout
};

}  // namespace fold8::pt2
