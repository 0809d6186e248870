# End-to-end tests of the binary: commands/NAME_test.py is the CTest "commands: NAME". They need nothing but Python's standard library.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

foreach(name reference usage verify compare compare_rules weights hunt report spread spread_network)
  add_test(NAME "commands: ${name}" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/commands/${name}_test.py)
  set_tests_properties("commands: ${name}" PROPERTIES ENVIRONMENT "EQUINORM=$<TARGET_FILE:equinorm>" TIMEOUT 600)
endforeach()

add_test(NAME "commands: the decimal judge sees faults"
         COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/reference/judge_sees_faults.py
                 ${CMAKE_CURRENT_SOURCE_DIR}/python/decimal_reference.py)
