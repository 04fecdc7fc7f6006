# gru4rec_dev: what our own tests, examples and benchmarks are compiled with, and the gru4rec::compiled that they share.
# Never linked to the targets that are installed.
include(cmake/machine_flags.cmake)
include(cmake/hardening.cmake)

add_library(gru4rec_dev INTERFACE)
if(NOT MSVC)
  target_compile_options(gru4rec_dev INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
                                               $<$<BOOL:${GRU4REC_WERROR}>:-Werror>)
endif()
# GCC 12 takes "literal" + string for a copy of impossible length (GCC bug 105651), and its own AVX-512 intrinsics for
# uses of uninitialised values (GCC bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(gru4rec_dev INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds
                                               -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
if(GRU4REC_ENGINE)
  include(cmake/engines.cmake)
  gru4rec_engine_flags(gru4rec_machine_flags ${GRU4REC_ENGINE})
  set(gru4rec_engine_name ${GRU4REC_ENGINE})
endif()
target_compile_options(gru4rec_dev INTERFACE ${gru4rec_machine_flags} ${gru4rec_sanitizer_flags}
                                             ${gru4rec_hardening_flags})
target_link_options(gru4rec_dev INTERFACE ${gru4rec_sanitizer_flags} ${gru4rec_hardening_link_flags})
target_link_libraries(gru4rec_compiled PRIVATE gru4rec_dev)

# Optional, for the program and the tests of its parts: see examples/CMakeLists.txt.
find_package(LibArchive QUIET)
find_package(ZLIB QUIET)
find_package(simdjson CONFIG QUIET)
find_package(Boost 1.74 QUIET)
find_package(Threads QUIET)

# hiredis defines its own target from version 1.0 on.
find_package(hiredis CONFIG QUIET)
if(NOT TARGET hiredis::hiredis)
  find_path(GRU4REC_HIREDIS_INCLUDE_DIR hiredis/hiredis.h)
  find_library(GRU4REC_HIREDIS_LIBRARY hiredis)
  mark_as_advanced(GRU4REC_HIREDIS_INCLUDE_DIR GRU4REC_HIREDIS_LIBRARY)
  if(GRU4REC_HIREDIS_INCLUDE_DIR AND GRU4REC_HIREDIS_LIBRARY)
    add_library(hiredis::hiredis UNKNOWN IMPORTED)
    set_target_properties(hiredis::hiredis PROPERTIES IMPORTED_LOCATION "${GRU4REC_HIREDIS_LIBRARY}"
                          INTERFACE_INCLUDE_DIRECTORIES "${GRU4REC_HIREDIS_INCLUDE_DIR}")
  endif()
endif()
