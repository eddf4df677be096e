#include "pt2/foreign.h"

#include <fmt/format.h>

#include <fstream>
#include <string>
#include <string_view>

namespace fold8::pt2 {
namespace {

using std::string_view_literals::operator""sv;

constexpr const char* kExport =
    "fold8 reads what torch.export.save writes: quantize the PyTorch model with PT2E, export it, save it";
constexpr const char* kFromKeras =
    "fold8 reads PyTorch: rebuild the model there, load its weights, quantize with PT2E and export";

struct Format {
  size_t offset;
  std::string_view magic;
  const char* what;
  const char* remedy;
};

constexpr Format kFormats[] = {
    {4, "TFL3"sv, "a TensorFlow Lite model", kFromKeras},
    {4, "ET"sv, "an ExecuTorch program",
     "hand over the quantized program that it was made from, saved with torch.export.save before to_edge()"},
    {0, "\x89HDF"sv, "an HDF5 file, as Keras saves models", kFromKeras},
    {0, "\x93NUMPY"sv, "a NumPy array", "the model comes first; arrays are given with --input"},
    {0, "\x80\x02"sv, "a pickle, as torch.save wrote before torch 1.6", kExport},
    {0, "\x80\x04"sv, "a pickle", kExport},
    {0, "\x80\x05"sv, "a pickle", kExport},
    {0, "version https://git-lfs"sv, "a pointer of Git LFS, not the file itself", "git lfs pull fetches it"},
    {0, "<!DOCTYPE"sv, "a web page", "download the file itself"},
    {0, "<html"sv, "a web page", "download the file itself"},
    {0, "program form="sv, "a program's text", "give it a name that ends in .f8"},
    {8, "{\""sv, "a safetensors file: weights without a program", kExport},
};

// A protobuf without a magic: ir_version, then the producer's name or the opset, as every exporter begins.
bool looks_like_onnx(const std::filesystem::path& path, std::string_view head) {
  return path.extension() == ".onnx" || (head.size() > 2 && head[0] == 8 && head[1] < 20 && head[2] == 0x12);
}

}  // namespace

Diag not_a_zip(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string head(32, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(in.gcount()));
  const auto found = [](const char* what, const char* remedy) {
    return error("F8-0101", fmt::format("not a .pt2 archive: the file is {}", what)).note(remedy);
  };
  if (head.empty()) return found("empty", "copy it again, or save it again with torch.export.save");
  for (const Format& format : kFormats)
    if (head.size() >= format.offset && std::string_view(head).substr(format.offset).starts_with(format.magic))
      return found(format.what, format.remedy);
  if (looks_like_onnx(path, head))
    return found(
        "an ONNX model",
        "hand over the PyTorch model that it was exported from, quantized with PT2E and saved with torch.export.save");
  return found("not a zip", "a .pt2 is what torch.export.save(torch.export.export(model, inputs), path) writes");
}

}  // namespace fold8::pt2
