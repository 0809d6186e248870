# The bundled CPU kernels, loaded into the test program itself.
file(GLOB bundled_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/bundled/*.cpp)
add_executable(equinorm_bundled_tests ${bundled_sources})
target_include_directories(equinorm_bundled_tests PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/kernels)
target_link_libraries(equinorm_bundled_tests PRIVATE equinorm_test_main equinorm::kernels equinorm::inputs equinorm::paths equinorm::bounds
                      equinorm_reference ${CMAKE_DL_LIBS})
target_compile_definitions(equinorm_bundled_tests PRIVATE EQUINORM_KERNELS_FOLDER="${CMAKE_BINARY_DIR}/kernels"
                           EQUINORM_FAULTY_FOLDER="${CMAKE_BINARY_DIR}/faulty_kernels" EQUINORM_TEST_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}")
add_dependencies(equinorm_bundled_tests equinorm_bundled_kernels equinorm_faulty_kernels)
catch_discover_tests(equinorm_bundled_tests TEST_PREFIX "bundled kernels: ")

add_test(NAME "kernels: installed headers, example project" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/kernels/example_test.py)
set_tests_properties("kernels: installed headers, example project" PROPERTIES TIMEOUT 900
  ENVIRONMENT "CMAKE=${CMAKE_COMMAND};EQUINORM_BUILD=${CMAKE_BINARY_DIR};EXAMPLE=${CMAKE_CURRENT_SOURCE_DIR}/kernels/example;CXX=${CMAKE_CXX_COMPILER};CC=${CMAKE_C_COMPILER}")
