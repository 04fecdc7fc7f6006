include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(gru4rec_config_dir "${CMAKE_INSTALL_DATADIR}/cmake/gru4rec")
set(gru4rec_sources_dir "${CMAKE_INSTALL_DATADIR}/gru4rec/src")
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME headers)  # of all that is installed here
install(TARGETS gru4rec EXPORT gru4rec-targets FILE_SET HEADERS)
install(EXPORT gru4rec-targets NAMESPACE gru4rec:: DESTINATION ${gru4rec_config_dir})

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/gru4rec-config.cmake.in" gru4rec-config.cmake
                              INSTALL_DESTINATION ${gru4rec_config_dir} PATH_VARS gru4rec_sources_dir)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/gru4rec-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/gru4rec-config.cmake" "${PROJECT_BINARY_DIR}/gru4rec-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/gru4rec-compiled.cmake"
        DESTINATION ${gru4rec_config_dir})
# gru4rec::compiled is installed as sources: each project compiles them with its own flags.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/" DESTINATION ${gru4rec_sources_dir} FILES_MATCHING PATTERN "*.[ch]pp")

# The prefix is relative to the .pc file, so the installed tree may be moved.
set(gru4rec_pc_dir "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig")
file(RELATIVE_PATH gru4rec_pc_prefix "${gru4rec_pc_dir}" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH gru4rec_pc_include "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/gru4rec.pc.in" "${PROJECT_BINARY_DIR}/gru4rec.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/gru4rec.pc" DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
if(NOT GRU4REC_PORTABLE)  # packages have it as `copyright`
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
