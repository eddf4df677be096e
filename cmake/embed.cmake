# fold8_embed(<library> <symbol> <folder> <files...>): compiles the bytes of <folder>/<file> into <library> as
#   std::span<const fold8::EmbeddedFile> fold8::embedded_<symbol>();   declared in base/embedded.h style by its user.
# The list is sorted by name, so the tool's output does not depend on the file system.
function(fold8_embed library symbol folder)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${symbol}.cc)
  set(names ${ARGN})
  list(SORT names)
  set(inputs ${names})
  list(TRANSFORM inputs PREPEND ${folder}/)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DSYMBOL=${symbol} -DFOLDER=${folder} "-DNAMES=${names}" -P
            ${CMAKE_SOURCE_DIR}/cmake/write_embedded.cmake
    DEPENDS ${inputs} ${CMAKE_SOURCE_DIR}/cmake/write_embedded.cmake
    VERBATIM)
  target_sources(${library} PRIVATE ${output})
endfunction()
