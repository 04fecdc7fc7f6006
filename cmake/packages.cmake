# CPack: libgru4rec-dev_*.deb of the headers and gru4rec_*.deb of the program, by `cpack` in the build folder.
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL headers program)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_VENDOR "the gru4rec authors")
set(CPACK_PACKAGE_CONTACT "the gru4rec authors <authors@gru4rec.invalid>" CACHE STRING "The packages' maintainer")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_HEADERS_PACKAGE_NAME libgru4rec-dev)
set(CPACK_DEBIAN_HEADERS_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_HEADERS_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_HEADERS_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4), libtbb-dev (>= 2021)")
set(CPACK_COMPONENT_HEADERS_DESCRIPTION "The headers of the C++20 library, its CMake package and its file for
pkg-config.")

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME gru4rec)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "The program trains models on files of sessions, evaluates them, lists
recommendations and serves them over HTTP. It holds engines for several
instruction sets and takes the one that fits the processor.")

# gru4rec_add_package_documents(COMPONENT PACKAGE): the licence and the package's changelog, which Debian asks for.
string(TIMESTAMP gru4rec_package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
function(gru4rec_add_package_documents component package)
  set(changelog "${PROJECT_BINARY_DIR}/changelogs/${package}")
  file(WRITE "${changelog}" "${package} (${PROJECT_VERSION}) unstable; urgency=medium\n\n"
       "  * What changed in this version is in CHANGELOG.md of the sources.\n\n"
       " -- ${CPACK_PACKAGE_CONTACT}  ${gru4rec_package_date}\n")
  file(ARCHIVE_CREATE OUTPUT "${changelog}.gz" PATHS "${changelog}" FORMAT raw COMPRESSION GZip)
  set(place "${CMAKE_INSTALL_DATADIR}/doc/${package}")
  install(FILES "${changelog}.gz" DESTINATION "${place}" RENAME changelog.gz COMPONENT ${component})
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${place}" RENAME copyright COMPONENT ${component})
endfunction()
gru4rec_add_package_documents(headers libgru4rec-dev)
gru4rec_add_package_documents(program gru4rec)

# What of others is in the program, from the engines as they are built when the package is made.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(gru4rec_bill "${PROJECT_BINARY_DIR}/gru4rec.spdx.json")
list(TRANSFORM GRU4REC_ENGINES REPLACE "(.+)" "\"${PROJECT_BINARY_DIR}/engines/\\1/bin/gru4rec\""
     OUTPUT_VARIABLE gru4rec_built)
list(JOIN gru4rec_built " " gru4rec_built)
install(CODE "execute_process(
  COMMAND \"${Python3_EXECUTABLE}\" \"${PROJECT_SOURCE_DIR}/cmake/software_bill.py\" --name gru4rec
          --version ${PROJECT_VERSION} --ninja \"${CMAKE_MAKE_PROGRAM}\" --output \"${gru4rec_bill}\"
          \"$<TARGET_FILE:gru4rec_launcher>\" ${gru4rec_built}
  COMMAND_ERROR_IS_FATAL ANY)" COMPONENT program)
install(FILES "${gru4rec_bill}" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/gru4rec" COMPONENT program)
include(CPack)
