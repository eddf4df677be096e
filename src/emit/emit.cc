#include "emit/emit.h"

#include <fmt/format.h>

#include "emit/amalgamate.h"
#include "emit/c_api.h"
#include "emit/names.h"
#include "emit/source.h"
#include "ir/op.h"

namespace fold8::emit {

using namespace ir;

namespace {

// The memory behind offsets, in the order of plan/buffers.h; const buffers are not written to.
std::string bases(const Program& p) {
  std::string out;
  for (const End& end : ends(p))
    if (!in_arena(p, end))
      out +=
          fmt::format(", reinterpret_cast<uint8_t*>(const_cast<{}*>({}))", c_type(p.type(end.value).elem), end.suffix);
  return out.empty() ? "" : fmt::format("  uint8_t* const bases[] = {{arena{}}};\n  (void)bases;\n", out);
}

}  // namespace

Emission emit(const Program& p, const plan::Plan& plan, const target::Target& target, const Options& o) {
  require(p.form == Form::placed && name_objection(o.name).empty(), "emit() writes placed programs under a sound name");
  const Body parts = body(p, plan, target, o);

  // A namespace of its own, so that several models can also be compiled as one translation unit.
  std::string cpp = fmt::format(
      "// {0}: tables and calls, written by fold8 {1} for {2}. See {0}.h for how to call it.\n"
      "#include \"{0}.h\"\n\n#include \"{0}_kernels.h\"\n\nnamespace {0}_model {{\n",
      o.name, kVersion, target.cpu);
  cpp += "namespace {\n\n" + parts.tables + "}  // namespace\n\n";
  if (o.trace) cpp += "extern \"C\" void fold8_trace(uint32_t node, const void* data, uint32_t bytes);\n\n";
  if (o.mark) cpp += "extern \"C\" void fold8_mark();\n\n";
  cpp += fmt::format(
      "extern \"C\" void {}_invoke(void* memory{}) {{\n  uint8_t* const arena = static_cast<uint8_t*>(memory);\n  "
      "(void)arena;\n{}{}}}\n\n",
      o.name, buffer_parameters(p), bases(p), parts.calls);
  cpp += fmt::format("extern \"C\" const char* {0}_isa(void) {{ return {1}::kName; }}\n\n}}  // namespace {0}_model\n",
                     o.name, isa_type(target));

  Emission result;
  result.weight_bytes = parts.weight_bytes;
  result.files.push_back({o.name + ".h", header(p, plan, target, o, result.weight_bytes)});
  result.files.push_back({o.name + ".cpp", std::move(cpp)});
  result.files.push_back(
      {o.name + "_kernels.h", fmt::format("// Device code for {}.cpp, from fold8 {}. Apache-2.0. Needs <stdint.h> and "
                                          "memcpy/memset only.\n#pragma once\n\n",
                                          o.name, kVersion) +
                                  amalgamate(parts.headers)});
  return result;
}

}  // namespace fold8::emit
