# End-to-end tests of the binary: commands/NAME_test.py is the CTest "commands: NAME". They need nothing but Python's standard library.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

foreach(name reference usage verify compare compare_rules weights hunt report check faults ptx spread spread_network)
  add_test(NAME "commands: ${name}" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/commands/${name}_test.py)
  set_tests_properties("commands: ${name}" PROPERTIES ENVIRONMENT "EQUINORM=$<TARGET_FILE:equinorm>;EQUINORM_KERNELS=${CMAKE_BINARY_DIR}/kernels" TIMEOUT 600)
endforeach()

# The program without MPI, whatever was found: its own ranks.cpp stands before the one in the library.
add_executable(equinorm_without_mpi ${CMAKE_SOURCE_DIR}/src/main.cpp ${CMAKE_SOURCE_DIR}/src/work/ranks.cpp)
target_link_libraries(equinorm_without_mpi PRIVATE equinorm::commands)
target_compile_definitions(equinorm_without_mpi PRIVATE EQUINORM_VERSION="${PROJECT_VERSION}")
add_test(NAME "commands: without MPI" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/commands/without_mpi_test.py)
set_tests_properties("commands: without MPI" PROPERTIES ENVIRONMENT "EQUINORM=$<TARGET_FILE:equinorm_without_mpi>" TIMEOUT 600)

add_test(NAME "commands: cuda" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/commands/cuda_test.py)
set_tests_properties("commands: cuda" PROPERTIES TIMEOUT 600 ENVIRONMENT
  "EQUINORM=$<TARGET_FILE:equinorm>;EQUINORM_BUNDLED_CUDA=${CMAKE_SOURCE_DIR}/src/kernels/bundled/cuda;EQUINORM_FAKE_DRIVER=$<TARGET_FILE:equinorm_fake_driver>")

add_test(NAME "commands: explain" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/commands/explain_test.py)
set_tests_properties("commands: explain" PROPERTIES TIMEOUT 600 ENVIRONMENT
  "EQUINORM=$<TARGET_FILE:equinorm>;EQUINORM_BUNDLED_CUDA=${CMAKE_SOURCE_DIR}/src/kernels/bundled/cuda")

add_test(NAME "commands: the decimal judge sees faults"
         COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/reference/judge_sees_faults.py
                 ${CMAKE_CURRENT_SOURCE_DIR}/python/decimal_reference.py)
