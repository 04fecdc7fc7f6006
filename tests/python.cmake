# The tests of the Python package. Its module is compiled as for the wheel, but links the suite's gru4rec::compiled: to
# compile the library a second time would take longer than all of this. python/tests/run.sh shows that the package can
# be installed.
if(GRU4REC_SANITIZE)
  return()  # Python alone cannot load such a module: see python/tests/sanitized.sh
endif()

set(Python_EXECUTABLE "${Python3_EXECUTABLE}")
find_package(Python 3.11 QUIET COMPONENTS Interpreter Development.Module)  # older ones need one more package for stubs
execute_process(COMMAND "${Python3_EXECUTABLE}" -c "import numpy, pytest"
                RESULT_VARIABLE failure OUTPUT_QUIET ERROR_QUIET)
if(Python_FOUND AND NOT failure)
  execute_process(COMMAND "${Python3_EXECUTABLE}" -m nanobind --cmake_dir
                  OUTPUT_VARIABLE nanobind_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  find_package(nanobind CONFIG QUIET)
endif()
if(NOT nanobind_FOUND)
  message(STATUS "gru4rec: the Python package is not tested: nanobind, pytest, NumPy or Python 3.11 with headers was "
                 "not found (PyPI: nanobind; Debian: python3-pytest, python3-numpy, python3-dev)")
  return()
endif()

# The package as it is installed, but with links to its sources.
set(gru4rec_python_dir "${PROJECT_SOURCE_DIR}/python")
set(gru4rec_python_path "${PROJECT_BINARY_DIR}/python")
set(gru4rec_package_dir "${gru4rec_python_path}/gru4rec")
include("${gru4rec_python_dir}/module.cmake")
gru4rec_python_add_module(gru4rec_python ${gru4rec_engine_name} gru4rec::compiled)
target_compile_options(gru4rec_python PRIVATE ${gru4rec_machine_flags} ${gru4rec_hardening_flags})
set_target_properties(gru4rec_python PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${gru4rec_package_dir}"
                      UNITY_BUILD "${gru4rec_suite_unity}")
nanobind_add_stub(gru4rec_python_stub MODULE _core OUTPUT "${gru4rec_package_dir}/_core.pyi"
                  PYTHON_PATH "${gru4rec_package_dir}" DEPENDS gru4rec_python)
file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${gru4rec_python_dir}"
     "${gru4rec_python_dir}/gru4rec/*.py" "${gru4rec_python_dir}/gru4rec/py.typed")
foreach(file IN LISTS files)
  cmake_path(GET file PARENT_PATH folder)
  file(MAKE_DIRECTORY "${gru4rec_python_path}/${folder}")
  file(CREATE_LINK "${gru4rec_python_dir}/${file}" "${gru4rec_python_path}/${file}" COPY_ON_ERROR SYMBOLIC)
endforeach()

# One CTest test per file, skipped if all of its tests are, for want of packages.
set(environment ${gru4rec_test_environment} "PYTHONPATH=${gru4rec_python_path}")
file(GLOB_RECURSE files CONFIGURE_DEPENDS "${gru4rec_python_dir}/tests/test_*.py")
foreach(file IN LISTS files)
  cmake_path(GET file STEM name)
  string(REGEX REPLACE "^test_" "python/" name "${name}")
  add_test(NAME ${name} WORKING_DIRECTORY "${gru4rec_python_path}"
           COMMAND Python3::Interpreter -m pytest -p no:cacheprovider -c "${gru4rec_python_dir}/pyproject.toml"
                   --rootdir "${gru4rec_python_dir}" "${file}")
  set_tests_properties(${name} PROPERTIES
    LABELS python TIMEOUT 600 ENVIRONMENT "${environment}" SKIP_REGULAR_EXPRESSION "= [0-9]+ skipped in ")
endforeach()
