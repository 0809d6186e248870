# What `cmake --install` puts where: the program, its worker, the bundled kernels, and for authors of kernels two headers behind
# find_package(equinorm), target equinorm::kernel.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS equinorm equinorm-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${EQUINORM_KERNELS_FOLDER}/ DESTINATION lib/equinorm/kernels USE_SOURCE_PERMISSIONS)

add_library(equinorm_kernel INTERFACE)
set_target_properties(equinorm_kernel PROPERTIES EXPORT_NAME kernel)
target_compile_features(equinorm_kernel INTERFACE cxx_std_17)
target_include_directories(equinorm_kernel INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(FILES ${CMAKE_SOURCE_DIR}/src/kernels/kernel.h ${CMAKE_SOURCE_DIR}/src/kernels/kernel.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/equinorm)
install(TARGETS equinorm_kernel EXPORT equinormTargets)
install(EXPORT equinormTargets NAMESPACE equinorm:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/equinorm)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/equinormConfig.cmake.in ${CMAKE_BINARY_DIR}/equinormConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/equinorm)
# Headers alone: they fit every architecture.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/equinormConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_BINARY_DIR}/equinormConfig.cmake ${CMAKE_BINARY_DIR}/equinormConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/equinorm)
