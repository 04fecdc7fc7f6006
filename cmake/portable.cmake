# The program `gru4rec` for other machines than this one: a launcher, and this project built once for each engine, in a
# build folder of its own, since code for different vector instructions must not meet in one program. The launcher and
# the engines lie in portable/ as they do when installed.
include(ExternalProject)
include(GNUInstallDirs)
include(cmake/engines.cmake)
include(cmake/hardening.cmake)
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "gru4rec: GRU4REC_PORTABLE is for Linux, whose /proc tells the launcher where its engines are")
endif()

set(gru4rec_portable_dir "${PROJECT_BINARY_DIR}/portable")
set(gru4rec_engines_dir "${CMAKE_INSTALL_LIBEXECDIR}/gru4rec")

list(JOIN GRU4REC_ENGINES "\",\"" names)
file(RELATIVE_PATH engines_from_launcher "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBEXECDIR}/gru4rec")
add_executable(gru4rec_launcher "${PROJECT_SOURCE_DIR}/examples/cli/launcher/launcher.cpp")
target_compile_features(gru4rec_launcher PRIVATE cxx_std_20)
target_compile_definitions(gru4rec_launcher PRIVATE "GRU4REC_ENGINES=\"${names}\""
                                                    "GRU4REC_ENGINES_FOLDER=\"${engines_from_launcher}\"")
target_include_directories(gru4rec_launcher PRIVATE "${PROJECT_SOURCE_DIR}/examples")
target_compile_options(gru4rec_launcher PRIVATE ${gru4rec_hardening_flags})
target_link_options(gru4rec_launcher PRIVATE ${gru4rec_hardening_link_flags})
set_target_properties(gru4rec_launcher PROPERTIES
  OUTPUT_NAME gru4rec RUNTIME_OUTPUT_DIRECTORY "${gru4rec_portable_dir}/${CMAKE_INSTALL_BINDIR}" CXX_EXTENSIONS OFF)
install(TARGETS gru4rec_launcher RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program)

# What the engines' builds take over from this one.
set(gru4rec_engine_settings -DGRU4REC_BUILD_TESTS=OFF -DGRU4REC_INSTALL=OFF -DGRU4REC_NATIVE=OFF)
foreach(setting IN ITEMS CMAKE_BUILD_TYPE CMAKE_CXX_COMPILER CMAKE_CXX_COMPILER_LAUNCHER CMAKE_CXX_FLAGS
                         CMAKE_CXX_FLAGS_RELEASE CMAKE_EXE_LINKER_FLAGS CMAKE_PREFIX_PATH CMAKE_TOOLCHAIN_FILE
                         Eigen3_DIR TBB_DIR GRU4REC_HARDENED GRU4REC_WERROR)
  if(DEFINED ${setting})
    string(REPLACE ";" "|" value "${${setting}}")
    list(APPEND gru4rec_engine_settings "-D${setting}=${value}")
  endif()
endforeach()

foreach(engine IN LISTS GRU4REC_ENGINES)
  gru4rec_engine_flags(flags ${engine})  # the engine's own build uses them; here an unknown name is refused
  set(place "${gru4rec_engines_dir}/${engine}")
  ExternalProject_Add(gru4rec_engine_${engine}
    SOURCE_DIR "${PROJECT_SOURCE_DIR}"
    BINARY_DIR "${PROJECT_BINARY_DIR}/engines/${engine}"
    PREFIX "${PROJECT_BINARY_DIR}/engines/${engine}-steps"
    LIST_SEPARATOR "|"
    CMAKE_ARGS ${gru4rec_engine_settings} -DGRU4REC_ENGINE=${engine}
    BUILD_COMMAND "${CMAKE_COMMAND}" --build <BINARY_DIR> --target gru4rec_cli
    BUILD_ALWAYS ON
    USES_TERMINAL_BUILD ON  # one after the other: each uses all cores
    INSTALL_COMMAND "${CMAKE_COMMAND}" -E make_directory "${gru4rec_portable_dir}/${place}"
    COMMAND "${CMAKE_STRIP}" -o "${gru4rec_portable_dir}/${place}/gru4rec" <BINARY_DIR>/bin/gru4rec)
  install(PROGRAMS "${gru4rec_portable_dir}/${place}/gru4rec" DESTINATION "${place}" COMPONENT program)
endforeach()
