// The zip under a .pt2: entries by name below the archive's one top folder, whole or not at all.
// Guarantee: nothing is allocated that the size of the file does not justify.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct zip;  // libzip's handle

namespace fold8::pt2 {

inline constexpr int64_t kMaxEntryBytes = int64_t{1} << 30;

class Archive {
 public:
  static Result<Archive> open(const std::filesystem::path& path);

  // Names are relative to the top folder: "models/model.json".
  const std::vector<std::string>& names() const { return names_; }
  bool has(std::string_view name) const;
  Result<std::string> read(std::string_view name, int64_t max_bytes = kMaxEntryBytes) const;

 private:
  struct Close {
    void operator()(::zip* handle) const;
  };

  std::unique_ptr<::zip, Close> zip_;
  int64_t file_bytes_ = 0;
  std::string root_;  // with its '/', or empty for entries at the top
  std::vector<std::string> names_;
};

}  // namespace fold8::pt2
