# What stands beside the rooms' own tests: the include rule, the house rules, benchmark programs and fuzz programs.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# The include rule as declared by the equinorm_room calls, for include_rule.py.
get_property(rooms GLOBAL PROPERTY EQUINORM_ROOMS)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/rooms.txt CONTENT "${rooms}" @ONLY)

add_test(NAME "include rule" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/include_rule.py ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/rooms.txt)
add_test(NAME "house" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/house.py ${CMAKE_SOURCE_DIR})
add_test(NAME "include rule and house see planted violations" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/planted_violations.py)

# Benchmarks: bench/NAME_bench.cpp is the program equinorm_bench_NAME. As a test each runs only to see that it still works.
find_package(benchmark QUIET)
if(EQUINORM_BENCH AND benchmark_FOUND)
  add_custom_target(equinorm_bench)
  file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/bench/*_bench.cpp)
  foreach(source ${bench_sources})
    string(REGEX REPLACE ".*/(.*)_bench\\.cpp" "\\1" name ${source})
    add_executable(equinorm_bench_${name} ${source})
    target_link_libraries(equinorm_bench_${name} PRIVATE equinorm::commands equinorm::vgpu benchmark::benchmark_main benchmark::benchmark)
    target_compile_definitions(equinorm_bench_${name} PRIVATE EQUINORM_TEST_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}")
    add_dependencies(equinorm_bench equinorm_bench_${name})
    add_test(NAME "bench ${name} runs" COMMAND equinorm_bench_${name} --benchmark_min_time=0.001)
  endforeach()
  add_dependencies(equinorm_bench_worker equinorm-worker equinorm_bad_trivial equinorm_bad_trivial_paged)
  target_compile_definitions(equinorm_bench_worker PRIVATE EQUINORM_BAD_KERNELS="${CMAKE_BINARY_DIR}/tests/bad_kernels")
endif()

include(EquinormFuzz)
equinorm_fuzz("problem file" problem_fuzz.cpp SEEDS ${CMAKE_SOURCE_DIR}/src/problem/cases SEED_SCRIPT problem_seeds.py)
equinorm_fuzz("safetensors" safetensors_fuzz.cpp SEED_SCRIPT safetensors_seeds.py)
equinorm_fuzz("ptx" ptx_fuzz.cpp SEED_SCRIPT ptx_seeds.py)
equinorm_fuzz("finds a planted fault" planted_fault.cpp EXPECT_CRASH)

# Each bound names its theorem, the theorem exists and names the bound, and reports say the same.
add_test(NAME "bounds name their theorems" COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/theorems.py ${CMAKE_SOURCE_DIR})
add_test(NAME "bounds name their theorems: the check can fail"
  COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/theorems_test.py ${CMAKE_SOURCE_DIR})

# The bundled CUDA kernels compile where nvcc can be had, and their committed PTX is up to date.
add_test(NAME "bundled CUDA kernels compile"
  COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/cuda_kernels.py ${CMAKE_SOURCE_DIR}/src/kernels/bundled/cuda ${CMAKE_BINARY_DIR}/cuda)
set_tests_properties("bundled CUDA kernels compile" PROPERTIES SKIP_RETURN_CODE 77)
