# CPack: libgru4rec-dev_*.deb of the headers and gru4rec_*.deb of the program, by `cpack` in the build folder.
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL headers program)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_VENDOR "the gru4rec authors")
set(CPACK_PACKAGE_CONTACT "the gru4rec authors <authors@gru4rec.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_HEADERS_PACKAGE_NAME libgru4rec-dev)
set(CPACK_DEBIAN_HEADERS_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_HEADERS_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_HEADERS_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4), libtbb-dev (>= 2021)")
set(CPACK_COMPONENT_HEADERS_DESCRIPTION "${PROJECT_DESCRIPTION} (headers)
 The C++20 library, with its CMake package and its file for pkg-config.")

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME gru4rec)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "${PROJECT_DESCRIPTION} (program)
 Trains models on files of sessions, evaluates them, lists recommendations and
 serves them over HTTP. Holds engines for several instruction sets and takes
 the one that fits the processor.")

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/libgru4rec-dev" RENAME copyright
        COMPONENT headers)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/gru4rec" RENAME copyright
        COMPONENT program)
include(CPack)
