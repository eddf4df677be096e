// Files, read whole and written whole: a reader never sees half of one, nor half of a set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace fold8 {

struct TextFile {
  std::string name;      // relative to the folder it is written to
  std::string contents;  // bytes
};

// The whole file, unless it is longer than `max_bytes`: F8-0001, and no more than that was held.
inline constexpr int64_t kMaxFileBytes = int64_t{4} << 30;
Result<std::string> read_file(const std::filesystem::path& path, int64_t max_bytes = kMaxFileBytes);

// Writes `files` into `folder`, made if missing, as one set: on an error, at any kill, and when two processes write
// there at once, no two files of different sets stand side by side. While a set takes the place of another, all of its
// changed files but the first are missing. Files that hold the same bytes already are left alone, times and all; other
// files in the folder are not looked at.
Result<> write_files(const std::filesystem::path& folder, const std::vector<TextFile>& files);

// As a set of one. Through symbolic links; into what is no file, a device say, directly.
Result<> write_file(const std::filesystem::path& path, const std::string& contents);

// A fresh folder below the system's temporary one (TMPDIR), removed with all it holds when this goes out of scope, or
// when a signal ends the process (interrupt.h).
class TempFolder {
 public:
  static Result<TempFolder> make();
  TempFolder(TempFolder&&) noexcept;
  TempFolder& operator=(TempFolder&&) noexcept;
  ~TempFolder();
  const std::filesystem::path& path() const;

 private:
  struct Owned;
  explicit TempFolder(std::unique_ptr<Owned> owned);
  std::unique_ptr<Owned> owned_;
};

}  // namespace fold8
