#include "emit/c_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/diag.h"
#include "emit/names.h"
#include "ir/op.h"
#include "plan/buffers.h"

namespace fold8::emit {

using namespace ir;

namespace {

// A shortest decimal that reads back as the same double.
std::string real(double x) {
  std::string text = fmt::format("{}", x);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string describe(const Type& type) {
  return fmt::format("{} {}, row-major", type.elem == Elem::f32 ? "float32" : "int8", shape_text(type.shape));
}

std::string end_constants(const Program& p, const End& end, const std::string& prefix) {
  const Value& value = p[end.value];
  const std::string name = prefix + "_" + upper(end.suffix);
  std::string out =
      fmt::format("/* {} {}: {}", end.is_input ? "input" : "output", comment_text(value.name), describe(value.type));
  if (!value.order.empty()) out += fmt::format(", the exported dimensions in the order {}", shape_text(value.order));
  if (value.type.quant) out += fmt::format("; real = {0}_SCALE * (q - {0}_ZERO)", name);
  out += fmt::format(" */\n#define {}_BYTES {}\n#define {}_ELEMS {}\n", name, value.type.bytes(), name,
                     value.type.elems());
  if (value.type.quant)
    out += fmt::format("#define {0}_SCALE {1}f\n#define {0}_ZERO ({2})\n", name, real(value.type.quant->scale()),
                       value.type.quant->zero);
  return out + "\n";
}

std::string end_accessor(const Program& p, const End& end, const std::string& name) {
  const Value& value = p[end.value];
  const char* constness = end.is_input ? "" : "const ";
  return fmt::format(
      "static inline {0}{1}* {2}_{3}({0}void* arena) {{ return ({0}{1}*)(void {0}*)(({0}uint8_t*)arena + {4}); }}\n",
      constness, c_type(value.type.elem), name, end.suffix, *value.offset);
}

// What happens to inputs, and what the caller's own buffers must be.
std::string terms(const Program& p) {
  const std::vector<End> all = ends(p);
  auto any = [&](auto test) { return std::ranges::any_of(all, test); };
  std::string out;
  if (any([&](const End& e) { return e.is_input && in_arena(p, e); }))
    out += " * Inputs in the arena are consumed: write them again before each call.\n";
  if (any([&](const End& e) { return p[e.value].buffer == Buffer::consumed; }))
    out += " * Inputs in buffers of your own are consumed: write them again before each call.\n";
  if (any([&](const End& e) { return e.is_input && p[e.value].buffer == Buffer::caller; }))
    out += " * Inputs in buffers of your own are only read.\n";
  if (any([&](const End& e) { return !in_arena(p, e); }))
    out +=
        " * Your buffers are aligned as the arena is, and overlap neither it nor each other. Those that are not const "
        "also hold\n * intermediate results during the call.\n";
  return out;
}

// Code that compiles as it stands, given the caller's data: my_input and so on.
std::string usage(const Program& p, const Options& o) {
  const std::string prefix = upper(o.name);
  std::string before, after, buffers;
  for (const End& end : ends(p)) {
    if (!in_arena(p, end)) {
      buffers += fmt::format(", my_{}", end.suffix);
    } else if (end.is_input) {
      before += fmt::format(" *   memcpy({0}_{1}(arena), my_{1}, {2}_{3}_BYTES);\n", o.name, end.suffix, prefix,
                            upper(end.suffix));
    } else {
      after +=
          fmt::format(" *   const {0}* {2} = {1}_{2}(arena);\n", c_type(p.type(end.value).elem), o.name, end.suffix);
    }
  }
  return fmt::format(
             " *\n * How to call it, from C (C11 on) or C++; memcpy is in <string.h>:\n"
             " *   static {0}_ARENA(arena);  // or any memory of {0}_ARENA_BYTES, aligned to {0}_ARENA_ALIGN\n"
             "{1} *   {2}_invoke(arena{3});\n{4} *\n{5}",
             prefix, before, o.name, buffers, after, terms(p)) +
         " * Nothing is kept between calls, so one arena serves one call at a time, and several arenas serve several "
         "threads.\n";
}

}  // namespace

const char* c_type(Elem elem) {
  switch (elem) {
    case Elem::f32: return "float";
    case Elem::i8: return "int8_t";
    case Elem::i16: return "int16_t";
    case Elem::i32: return "int32_t";
    case Elem::i64: return "int64_t";
    case Elem::u8:
    case Elem::boolean: return "uint8_t";
    case Elem::rescale: return "f8k::Rescale";
  }
  throw CompilerBug("an element kind has a C type");
}

std::vector<End> ends(const Program& p) {
  std::vector<End> list;
  Names names;
  for (ValueId id : p.inputs)
    list.push_back({id, p.inputs.size() == 1 ? "input" : names.unique("input", p[id].name), true});
  for (size_t i = 0; i < p.outputs.size(); ++i)
    list.push_back({p.outputs[i], p.outputs.size() == 1 ? "output" : fmt::format("output_{}", i), false});
  return list;
}

std::string buffer_parameters(const Program& p) {
  std::string out;
  for (const End& end : ends(p))
    if (!in_arena(p, end))
      out += fmt::format(", {}{}* {}", plan::may_write(p, end.value) ? "" : "const ", c_type(p.type(end.value).elem),
                         end.suffix);
  return out;
}

std::string header(const Program& p, const plan::Plan& plan, const target::Target& target, const Options& o,
                   int64_t weight_bytes) {
  const std::string prefix = upper(o.name);
  std::string out = fmt::format("/* {}: an int8 network for {} ({} kernels), written by fold8 {}.\n", o.name,
                                target.cpu, target.isa, kVersion);
  out += usage(p, o) + " */\n";
  out += fmt::format(
      "#ifndef FOLD8_{0}_H\n#define FOLD8_{0}_H\n\n#include <stdint.h>\n\n"
      "#ifdef {1}_ARENA_BYTES\n"
      "#error \"another model has the macros {1}_...: names differ in more than case; take another "
      "--name\"\n#endif\n\n",
      o.name, prefix);
  out += fmt::format(
      "/* Memory that the caller lends for the call: inputs and outputs that have no buffer of their own, intermediate "
      "results, scratch. */\n"
      "#define {0}_ARENA_BYTES {1}\n#define {0}_ARENA_ALIGN {2}\n/* Constant tables, in flash. */\n#define "
      "{0}_WEIGHT_BYTES {3}\n\n",
      prefix, std::max<int64_t>(plan.arena_bytes, 1), plan.align, weight_bytes);  // C has no empty arrays
  out += fmt::format(
      "#ifdef __cplusplus\n#define {0}_ARENA(name) uint8_t name alignas({0}_ARENA_ALIGN)[{0}_ARENA_BYTES]\n#else\n"
      "#define {0}_ARENA(name) _Alignas({0}_ARENA_ALIGN) uint8_t name[{0}_ARENA_BYTES]\n#endif\n\n",
      prefix);
  for (const End& end : ends(p)) out += end_constants(p, end, prefix);
  out += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  std::string accessors;
  for (const End& end : ends(p))
    if (in_arena(p, end)) accessors += end_accessor(p, end, o.name);
  if (!accessors.empty())
    out += "/* Where the caller writes inputs before the call, and reads outputs after it. */\n" + accessors + "\n";
  out += fmt::format(
      "/* One inference. Re-entrant: all state is in the memory that the caller lends. */\nvoid {0}_invoke(void* "
      "arena{1});\n\n/* The instruction set that the kernels use: \"{2}\". */\nconst char* {0}_isa(void);\n",
      o.name, buffer_parameters(p), target.isa);
  return out + fmt::format("\n#ifdef __cplusplus\n}}\n#endif\n\n#endif /* FOLD8_{}_H */\n", o.name);
}

}  // namespace fold8::emit
