# Run by fold8_embed: writes OUTPUT, a C++ file that holds each of NAMES (relative to FOLDER) as a raw string.
set(rows "")
foreach(name IN LISTS NAMES)
  file(READ ${FOLDER}/${name} text)
  # A string literal may hold 64 KB at least everywhere; pieces are concatenated by the compiler.
  string(APPEND rows "    {\"${name}\", R\"f8embed(${text})f8embed\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"base/embedded.h\"

namespace fold8 {
std::span<const EmbeddedFile> embedded_${SYMBOL}();

std::span<const EmbeddedFile> embedded_${SYMBOL}() {
  static constexpr EmbeddedFile kFiles[] = {
${rows}  };
  return kFiles;
}
}  // namespace fold8
")
