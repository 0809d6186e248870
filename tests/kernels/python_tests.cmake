# What needs packages from PyPI runs in a virtual environment under the build folder; where that cannot be made, it says `skipped: why`.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

foreach(name helper kernels adapters)
  add_test(NAME "kernels: python ${name}"
           COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tests/python/in_environment.py ${CMAKE_BINARY_DIR}/python-environment
                   "numpy<3,ml_dtypes<1" ${CMAKE_SOURCE_DIR}/tests/kernels/python_${name}_test.py)
  set_tests_properties("kernels: python ${name}" PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77
    ENVIRONMENT "EQUINORM=$<TARGET_FILE:equinorm>;EQUINORM_KERNELS_TESTS=$<TARGET_FILE:equinorm_kernels_tests>")
endforeach()

foreach(name "README's kernels|readme" "false passes|false_pass")
  string(REPLACE "|" ";" name "${name}")
  list(GET name 0 title)
  list(GET name 1 file)
  add_test(NAME "commands: ${title}"
           COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tests/python/in_environment.py ${CMAKE_BINARY_DIR}/python-environment
                   "numpy<3,ml_dtypes<1" ${CMAKE_SOURCE_DIR}/tests/commands/${file}_test.py)
  set_tests_properties("commands: ${title}" PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 ENVIRONMENT "EQUINORM=$<TARGET_FILE:equinorm>")
endforeach()
