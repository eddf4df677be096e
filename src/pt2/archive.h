// The zip under a .pt2: entries by name below the archive's one top folder, whole or not at all.
// Guarantee: nothing is allocated that the size of the file does not justify (Allowance), however well it packs.
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

// Memory that may be held for an archive: 16 bytes for each of the file, and 64 MiB. Parsed JSON takes 6 to 11 bytes a
// byte of text, and archives of torch are stored as they are; a file that asks for more was made to.
class Allowance {
 public:
  explicit Allowance(int64_t file_bytes);

  int64_t left() const { return left_; }
  // Whether so much more may be held, from now on. False: nothing was taken.
  bool take(int64_t bytes);

 private:
  int64_t left_;
};

class Archive {
 public:
  static Result<Archive> open(const std::filesystem::path& path);

  // Names are relative to the top folder: "models/model.json".
  const std::vector<std::string>& names() const { return names_; }
  bool has(std::string_view name) const;
  // Checked against the allowance, which it does not lessen: callers take what they keep.
  Result<std::string> read(std::string_view name, int64_t max_bytes = kMaxEntryBytes) const;
  Allowance& allowance() const { return *allowance_; }

 private:
  struct Close {
    void operator()(::zip* handle) const;
  };

  std::unique_ptr<::zip, Close> zip_;
  int64_t file_bytes_ = 0;
  std::unique_ptr<Allowance> allowance_;
  std::string root_;  // with its '/', or empty for entries at the top
  std::vector<std::string> names_;
};

}  // namespace fold8::pt2
