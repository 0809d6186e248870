// Malformed and meaningless PTX: an Error or findings, never worse. EQUINORM_PTX_ROUNDS multiplies the rounds, EQUINORM_PTX_SEED moves the
// seeds; with EQUINORM_PTX_KEEP each program is written to that file before it runs, so that one that ends the process can be looked at.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "vgpu/random_programs.hpp"
#include "vgpu/vgpu_support.hpp"

using namespace vgpu_tests;

namespace {

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::size_t run_kept(const std::string& text, Random& random, int patience) {
  if (const char* path = std::getenv("EQUINORM_PTX_KEEP")) std::ofstream(path, std::ios::binary) << text;
  return run_anything(text, random, patience);
}

const std::uint64_t kRounds = number_of("EQUINORM_PTX_ROUNDS", 1), kSeed = number_of("EQUINORM_PTX_SEED", 1);

}  // namespace

TEST_CASE("programs drawn from the table run or are refused, never worse") {
  std::size_t ran = 0;
  const std::uint64_t rounds = 150 * kRounds;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    INFO("seed " << kSeed << ", round " << round);
    Random random(kSeed * 1000003 + round);
    ran += run_kept(random_program(random, 4 + pick(random, 40)), random, 40);
  }
  INFO(ran << " of " << rounds << " ran");
  CHECK(ran * 2 > rounds);
}

TEST_CASE("mutated PTX runs or is refused, never worse") {
  std::size_t ran = 0, tried = 0;
  for (const std::string& original : real_ptx()) {
    // Large files hold many kernels: left to longer runs.
    const std::uint64_t rounds = original.size() < 30000 ? 4 * kRounds : kRounds - 1;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      INFO("seed " << kSeed << ", round " << round << " of a file of " << original.size() << " bytes");
      Random random(kSeed * 1000033 + round * 131 + original.size());
      ++tried;
      ran += run_kept(mutated(original, random), random, 1) > 0 ? 1 : 0;
    }
  }
  INFO(ran << " of " << tried << " ran");
  CHECK(tried > 50);
  CHECK(ran * 5 > tried);
}
