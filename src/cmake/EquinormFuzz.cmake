# equinorm_fuzz(NAME source [SEEDS folder] [SEED_SCRIPT script] [EXPECT_CRASH]): tests/fuzz/source as a libFuzzer program and as the test "fuzz NAME".
#
# libFuzzer belongs to clang, while everything else here is built by the main compiler. So the fuzz program's source, and the sources of the rooms
# that read files, are compiled once more by clang++ with the sanitizers; what else they call comes from the rooms' ordinary libraries.
# Where clang++ or its fuzzer runtime is missing, the test is reported as skipped, with the reason.
#
# SEEDS: a folder of files to start from. SEED_SCRIPT: a Python script in tests/fuzz that writes such files into the folder it is given.
# EXPECT_CRASH: the program holds a planted memory fault, and the test passes if the fuzzer reports it.

set(EQUINORM_FUZZ_FLAGS -std=c++20 -O1 -g -ffp-contract=off -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)

# Sets EQUINORM_FUZZ_PROBLEM to the reason why fuzz programs cannot be built here, or to nothing. Never cached: clang may be installed later.
function(equinorm_probe_fuzzer)
  find_program(clang NAMES clang++ clang++-14 NO_CACHE)
  set(problem "")
  if(EQUINORM_SANITIZE)
    set(problem "this build has sanitizers of its own; fuzz programs belong to the plain build")
  elseif(NOT clang)
    set(problem "clang++ is not installed")
  else()
    set(probe ${CMAKE_BINARY_DIR}/fuzz/probe)
    file(WRITE ${probe}.cpp "#include <cstddef>\n#include <cstdint>\nextern \"C\" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }\n")
    execute_process(COMMAND ${clang} ${EQUINORM_FUZZ_FLAGS} -fsanitize=fuzzer ${probe}.cpp -o ${probe} RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    if(status)
      set(problem "clang++ has no fuzzer runtime (Debian: libclang-rt-14-dev)")
    endif()
  endif()
  set(EQUINORM_FUZZ_CLANG "${clang}" PARENT_SCOPE)
  set(EQUINORM_FUZZ_PROBLEM "${problem}" PARENT_SCOPE)
endfunction()
equinorm_probe_fuzzer()

# Object file of SOURCE compiled by clang++ with instrumentation; appends it to the variable OBJECTS.
function(equinorm_fuzz_object SOURCE OBJECTS)
  file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR} ${SOURCE})
  set(object ${CMAKE_BINARY_DIR}/fuzz/${relative}.o)
  get_filename_component(folder ${object} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${object} DEPENDS ${SOURCE} DEPFILE ${object}.d VERBATIM COMMENT "clang++ for fuzzing: ${relative}"
    COMMAND ${EQUINORM_FUZZ_CLANG} ${EQUINORM_FUZZ_FLAGS} -fsanitize=fuzzer-no-link -I${CMAKE_SOURCE_DIR}/src -MD -MF ${object}.d -c ${SOURCE} -o ${object})
  set(${OBJECTS} ${${OBJECTS}} ${object} PARENT_SCOPE)
endfunction()

# Everything that linking TARGET takes, as a flat list of libraries in the variable RESULT.
function(equinorm_link_closure RESULT)
  set(found "")
  set(open ${ARGN})
  while(open)
    list(POP_FRONT open item)
    if(item MATCHES "^[$]<LINK_ONLY:(.*)>$")
      set(item ${CMAKE_MATCH_1})
    endif()
    if(TARGET ${item})
      get_target_property(type ${item} TYPE)
      get_target_property(next ${item} INTERFACE_LINK_LIBRARIES)
      if(NOT type STREQUAL INTERFACE_LIBRARY)
        list(APPEND found $<TARGET_FILE:${item}>)
      endif()
      if(next)
        list(APPEND open ${next})
      endif()
    elseif(item MATCHES "^(/|-)")
      list(APPEND found ${item})
    elseif(NOT item MATCHES "[$]<")
      list(APPEND found -l${item})
    endif()
  endwhile()
  list(REVERSE found)
  list(REMOVE_DUPLICATES found)
  list(REVERSE found)
  set(${RESULT} ${found} PARENT_SCOPE)
endfunction()

# The rooms that read what a user hands in, instrumented once and shared by all fuzz programs.
set(EQUINORM_FUZZ_OBJECTS "")
set(EQUINORM_FUZZ_PTX lexer.cpp module.cpp opcodes.cpp parser.cpp parser_function.cpp parser_variables.cpp type.cpp)
if(NOT EQUINORM_FUZZ_PROBLEM)
  file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/problem/*.cpp ${CMAKE_SOURCE_DIR}/src/tensor/*.cpp)
  list(TRANSFORM EQUINORM_FUZZ_PTX PREPEND ${CMAKE_SOURCE_DIR}/src/vgpu/)
  foreach(source ${fuzz_sources} ${EQUINORM_FUZZ_PTX} ${CMAKE_SOURCE_DIR}/src/scalar/decimal.cpp ${CMAKE_SOURCE_DIR}/src/scalar/format.cpp ${CMAKE_SOURCE_DIR}/src/scalar/sum_order.cpp)
    equinorm_fuzz_object(${source} EQUINORM_FUZZ_OBJECTS)
  endforeach()
  equinorm_link_closure(EQUINORM_FUZZ_LIBRARIES equinorm_problem equinorm_tensor equinorm_scalar)
endif()

function(equinorm_fuzz NAME SOURCE)
  cmake_parse_arguments(FUZZ "EXPECT_CRASH" "SEEDS;SEED_SCRIPT" "" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/tests/fuzz)
  if(EQUINORM_FUZZ_PROBLEM)
    add_test(NAME "fuzz ${NAME}" COMMAND ${CMAKE_COMMAND} -E echo "skipped: ${EQUINORM_FUZZ_PROBLEM}")
    set_tests_properties("fuzz ${NAME}" PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped: ")
    return()
  endif()
  get_filename_component(program ${SOURCE} NAME_WE)
  set(binary ${CMAKE_BINARY_DIR}/fuzz/${program})
  set(objects "")
  equinorm_fuzz_object(${folder}/${SOURCE} objects)
  # The instrumented objects come first, so that the libraries only supply what is still undefined.
  add_custom_command(OUTPUT ${binary} DEPENDS ${objects} ${EQUINORM_FUZZ_OBJECTS} equinorm_problem equinorm_tensor equinorm_scalar
    VERBATIM COMMAND_EXPAND_LISTS COMMENT "clang++ for fuzzing: linking ${program}"
    COMMAND ${EQUINORM_FUZZ_CLANG} ${EQUINORM_FUZZ_FLAGS} -fsanitize=fuzzer ${objects} ${EQUINORM_FUZZ_OBJECTS} ${EQUINORM_FUZZ_LIBRARIES} -o ${binary})
  add_custom_target(equinorm_${program} ALL DEPENDS ${binary})

  set(arguments --program ${binary} --work ${CMAKE_BINARY_DIR}/fuzz/work/${program} --seconds 10)
  if(FUZZ_SEEDS)
    list(APPEND arguments --seeds ${FUZZ_SEEDS})
  endif()
  if(FUZZ_SEED_SCRIPT)
    list(APPEND arguments --seed-script ${folder}/${FUZZ_SEED_SCRIPT})
  endif()
  if(FUZZ_EXPECT_CRASH)
    list(APPEND arguments --expect-crash)
  endif()
  add_test(NAME "fuzz ${NAME}" COMMAND Python3::Interpreter -B ${folder}/run.py ${arguments})
endfunction()
