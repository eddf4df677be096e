#include "pt2/archive.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <fstream>

#include "pt2/foreign.h"
#include "pt2/text.h"

namespace fold8::pt2 {
namespace {

// Deflate cannot shrink below 1 byte in 1032 (258-byte matches of 2 bits each, plus headers): more is a lie.
constexpr int64_t kMaxDeflateRatio = 1032;
constexpr int64_t kDeflateSlackBytes = 1024;

// Allowance, in archive.h.
constexpr int64_t kBaseBytes = int64_t{64} << 20;
constexpr int64_t kBytesPerFileByte = 16;

struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using EntryFile = std::unique_ptr<zip_file_t, CloseEntry>;

bool starts_like_a_zip(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  char magic[4] = {};
  in.read(magic, sizeof magic);
  return in.gcount() == 4 && std::string_view(magic, 4) == std::string_view("PK\3\4", 4);
}

Diag cannot_open(const std::filesystem::path& path, int code) {
  zip_error_t reason;
  zip_error_init_with_code(&reason, code);
  const std::string text = zip_error_strerror(&reason);
  zip_error_fini(&reason);
  if (code != ZIP_ER_NOZIP && code != ZIP_ER_INCONS) return error("F8-0101", "cannot read the archive: " + text);
  if (starts_like_a_zip(path)) {
    return error("F8-0101", "the archive is cut short or damaged: it begins as a zip but has no valid directory")
        .note("copy the file again, or save it again with torch.export.save");
  }
  return not_a_zip(path);
}

Diag bad_entry(std::string_view name, std::string_view what) {
  return error("F8-0105", fmt::format("archive entry '{}' {}", printable(name), what));
}

// Sizes as the central directory states them, checked against what `file_bytes` of zip can hold.
Result<int64_t> entry_bytes(std::string_view name, const zip_stat_t& stat, int64_t file_bytes, int64_t max_bytes) {
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if ((stat.valid & kNeeded) != kNeeded) return bad_entry(name, "has no size");
  if (stat.encryption_method != ZIP_EM_NONE) return bad_entry(name, "is encrypted");
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
    return bad_entry(name,
                     fmt::format("uses zip compression method {}; stored and deflate are read", stat.comp_method));
  if (stat.comp_size > static_cast<zip_uint64_t>(file_bytes))
    return bad_entry(name, fmt::format("claims {} stored bytes in a file of {}", stat.comp_size, file_bytes));
  const auto size = static_cast<int64_t>(stat.size);
  const auto stored = static_cast<int64_t>(stat.comp_size);
  const bool fits =
      stat.comp_method == ZIP_CM_STORE ? size == stored : size <= stored * kMaxDeflateRatio + kDeflateSlackBytes;
  if (stat.size > INT64_MAX || !fits)
    return bad_entry(name, fmt::format("claims {} bytes from {} stored ones", stat.size, stored));
  if (size > max_bytes)
    return bad_entry(name, fmt::format("unpacks to {} bytes; of this file, at most {} are read", size, max_bytes));
  return size;
}

Result<std::string> read_whole(std::string_view name, zip_file_t* file, int64_t bytes) {
  std::string contents(static_cast<size_t>(bytes), '\0');
  size_t done = 0;
  while (done < contents.size()) {
    const zip_int64_t got = zip_fread(file, contents.data() + done, contents.size() - done);
    if (got <= 0) return bad_entry(name, "is damaged: it cannot be read to its end");
    done += static_cast<size_t>(got);
  }
  char beyond = 0;  // reading at the end makes libzip compare the checksum
  if (zip_fread(file, &beyond, 1) != 0) return bad_entry(name, "is damaged: its length or checksum is wrong");
  return contents;
}

}  // namespace

Allowance::Allowance(int64_t file_bytes)
    : left_(kBaseBytes + std::min(file_bytes, kMaxEntryBytes) * kBytesPerFileByte) {}

bool Allowance::take(int64_t bytes) {
  if (bytes > left_) return false;
  left_ -= bytes;
  return true;
}

void Archive::Close::operator()(::zip* handle) const { zip_discard(handle); }

Result<Archive> Archive::open(const std::filesystem::path& path) {
  std::error_code problem;
  if (std::filesystem::is_directory(path, problem)) return error("F8-0101", "cannot read the archive: it is a folder");
  const auto file_bytes = std::filesystem::file_size(path, problem);
  if (problem) return error("F8-0101", "cannot read the archive: " + problem.message());

  int code = 0;
  Archive archive;
  archive.zip_.reset(zip_open(path.string().c_str(), ZIP_RDONLY, &code));
  if (archive.zip_ == nullptr) return cannot_open(path, code);
  archive.file_bytes_ = static_cast<int64_t>(file_bytes);
  archive.allowance_ = std::make_unique<Allowance>(archive.file_bytes_);

  const zip_int64_t count = zip_get_num_entries(archive.zip_.get(), 0);
  if (count <= 0) return error("F8-0102", "not a torch.export archive: the zip is empty");
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* raw = zip_get_name(archive.zip_.get(), static_cast<zip_uint64_t>(i), 0);
    const std::string name = raw == nullptr ? "" : raw;
    if (i == 0) archive.root_ = name.substr(0, name.find('/') + 1);  // npos + 1 = 0: no folder
    if (name.starts_with(archive.root_)) archive.names_.push_back(name.substr(archive.root_.size()));
  }
  std::ranges::sort(archive.names_);
  return archive;
}

bool Archive::has(std::string_view name) const { return std::ranges::binary_search(names_, name); }

Result<std::string> Archive::read(std::string_view name, int64_t max_bytes) const {
  const zip_int64_t index = zip_name_locate(zip_.get(), (root_ + std::string(name)).c_str(), 0);
  if (index < 0) return bad_entry(name, "is missing");
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat_index(zip_.get(), static_cast<zip_uint64_t>(index), 0, &stat) != 0)
    return bad_entry(name, "has no size");
  F8_TRY(const int64_t bytes, entry_bytes(name, stat, file_bytes_, std::min(max_bytes, allowance_->left())));
  const EntryFile file(zip_fopen_index(zip_.get(), static_cast<zip_uint64_t>(index), 0));
  if (file == nullptr) return bad_entry(name, "is damaged: " + printable(zip_strerror(zip_.get())));
  return read_whole(name, file.get(), bytes);
}

}  // namespace fold8::pt2
