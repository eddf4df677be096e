// NumPy's .npy files: the arrays that users hand over and get back.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "ir/type.h"

namespace fold8::driver {

// float32 or int8, C order (format versions 1 to 3). Anything else is an error that says how to convert it.
Result<ir::Tensor> read_npy(const std::filesystem::path& path);

Result<> write_npy(const std::filesystem::path& path, const ir::Tensor& tensor);

}  // namespace fold8::driver
