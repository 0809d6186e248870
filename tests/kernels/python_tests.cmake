# What needs packages from PyPI runs in a virtual environment under the build folder; where that cannot be made, it says `skipped: why`.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

foreach(name helper kernels adapters)
  add_test(NAME "kernels: python ${name}"
           COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tests/python/in_environment.py ${CMAKE_BINARY_DIR}/python-environment
                   "numpy<3,ml_dtypes<1" ${CMAKE_SOURCE_DIR}/tests/kernels/python_${name}_test.py)
  set_tests_properties("kernels: python ${name}" PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77
    ENVIRONMENT "EQUINORM=$<TARGET_FILE:equinorm>;EQUINORM_KERNELS_TESTS=$<TARGET_FILE:equinorm_kernels_tests>")
endforeach()

add_test(NAME "commands: README's kernels"
         COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tests/python/in_environment.py ${CMAKE_BINARY_DIR}/python-environment
                 "numpy<3,ml_dtypes<1" ${CMAKE_SOURCE_DIR}/tests/commands/readme_test.py)
set_tests_properties("commands: README's kernels" PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 ENVIRONMENT "EQUINORM=$<TARGET_FILE:equinorm>")
