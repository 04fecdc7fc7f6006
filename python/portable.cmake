# A wheel for other machines: modules _core for several instruction sets in gru4rec/engines, the module that chooses
# among them, and oneTBB.
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "gru4rec: GRU4REC_PORTABLE is for Linux: elsewhere a module finds oneTBB in another way")
endif()

foreach(engine IN LISTS GRU4REC_ENGINES)
  string(MAKE_C_IDENTIFIER "_core_${engine}" target)
  gru4rec_engine_flags(flags ${engine})
  gru4rec_python_add_engine(${target} ${engine} ${flags})
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/..")
  install(TARGETS ${target} LIBRARY DESTINATION gru4rec/engines/${engine})
  list(APPEND targets ${target})
endforeach()
list(GET targets 0 first_engine)  # the least demanding one, which this machine can run, too

list(JOIN GRU4REC_ENGINES "\",\"" names)
nanobind_add_module(_choice NB_STATIC PROTECT_STACK src/choice/choice.cpp)
target_compile_features(_choice PRIVATE cxx_std_20)
target_include_directories(_choice PRIVATE ../examples)
target_compile_definitions(_choice PRIVATE "GRU4REC_ENGINES=\"${names}\"")
install(TARGETS _choice LIBRARY DESTINATION gru4rec/engines)

# oneTBB under the name by which the modules ask for it, with its licence as the packager or its archive brings it.
find_package(TBB 2021 CONFIG REQUIRED COMPONENTS tbb)  # the target that the library found is visible only in its folder
install(FILES $<TARGET_FILE:TBB::tbb> DESTINATION gru4rec/engines RENAME $<TARGET_SONAME_FILE_NAME:TBB::tbb>)
find_file(GRU4REC_TBB_LICENSE NAMES copyright LICENSE.txt NO_DEFAULT_PATH
          PATHS /usr/share/doc/libtbb12 "${TBB_DIR}/../../../share/doc/TBB" "${TBB_DIR}/../../.."
          DOC "The licence of oneTBB, which goes into the wheel beside it")
if(NOT GRU4REC_TBB_LICENSE)
  message(FATAL_ERROR "gru4rec: a wheel that holds oneTBB needs its licence: -DGRU4REC_TBB_LICENSE=FILE")
endif()
install(FILES "${GRU4REC_TBB_LICENSE}" DESTINATION gru4rec/engines RENAME libtbb.LICENSE)

# What of others is in the wheel, where its tools look for it (PEP 770).
find_package(Eigen3 CONFIG REQUIRED)
set(bill "${CMAKE_CURRENT_BINARY_DIR}/gru4rec.spdx.json")
set(modules "")
foreach(target IN LISTS targets ITEMS _choice)
  string(APPEND modules " \"$<TARGET_FILE:${target}>\"")
endforeach()
install(CODE "execute_process(
  COMMAND \"${Python_EXECUTABLE}\" \"${CMAKE_CURRENT_SOURCE_DIR}/../cmake/software_bill.py\" --name gru4rec
          --version ${SKBUILD_PROJECT_VERSION} --ninja \"${CMAKE_MAKE_PROGRAM}\" --output \"${bill}\"
          --contained oneTBB --found Eigen=${Eigen3_VERSION} --found oneTBB=${TBB_VERSION}
          --found nanobind=${nanobind_VERSION} --found CPython=${Python_VERSION} ${modules}
  COMMAND_ERROR_IS_FATAL ANY)")
install(FILES "${bill}" DESTINATION "${SKBUILD_METADATA_DIR}/sboms")
