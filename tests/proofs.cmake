# The machine-checked proofs: built from proofs/ into the build folder, and audited. Without Coq both tests are reported as skipped.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME "proofs: build and audit"
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/proofs/check.py --build ${CMAKE_BINARY_DIR}/proofs)
add_test(NAME "proofs: the audit can fail" COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/proofs/check_test.py)
set_tests_properties("proofs: build and audit" "proofs: the audit can fail" PROPERTIES LABELS proofs SKIP_RETURN_CODE 77 TIMEOUT 1800)
