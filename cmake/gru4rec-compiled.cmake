# gru4rec::compiled: the library's large templates for float and double, and its functions that are not templates,
# compiled once in the project that links it. The sources are compiled with that project's flags and build type, because
# code for different vector instructions must not be mixed. Flags of one target have to reach the library as well:
#
#   target_link_libraries(app PRIVATE gru4rec::compiled)
#   target_compile_options(gru4rec_compiled PUBLIC -march=native)  # PUBLIC: for the library and everything that links it
#
# An `app` with other vector instructions than the library does not link.
function(gru4rec_add_compiled sources)
  if(TARGET gru4rec_compiled)
    return()
  endif()
  file(GLOB files CONFIGURE_DEPENDS "${sources}/*.cpp")
  add_library(gru4rec_compiled STATIC EXCLUDE_FROM_ALL ${files})
  add_library(gru4rec::compiled ALIAS gru4rec_compiled)
  target_link_libraries(gru4rec_compiled PUBLIC gru4rec::gru4rec)
  target_compile_definitions(gru4rec_compiled PUBLIC GRU4REC_COMPILED)
  set_target_properties(gru4rec_compiled PROPERTIES UNITY_BUILD OFF)  # large files, better compiled side by side
  if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
    set_target_properties(gru4rec_compiled PROPERTIES POSITION_INDEPENDENT_CODE ON)  # for shared libraries that link it
  endif()
endfunction()
