// Every bundled CUDA kernel on the virtual GPU: right results, nothing to find fault with, and the formula itself with rounding removed.
#include <algorithm>
#include <catch2/catch.hpp>

#include "cuda_support.hpp"
#include "kernels/cuda_manifest.hpp"
#include "kernels/exact_scalars.hpp"

using namespace kernel_tests;
using namespace equinorm::kernels;

namespace {

struct Bundled {
  const char* folder;
  const char* manifest;
};
const Bundled kCacheWrite[] = {{"cache_write", "cache_write.fp32"},
                               {"cache_write", "cache_write.fp16"},
                               {"cache_write", "cache_write.bf16"},
                               {"cache_write", "cache_write.bf16_alpha"}};
const Bundled kQuery[] = {{"query", "query.fp32"}, {"query", "query.fp16"}, {"query", "query.bf16"}};
const Bundled kExplicit[] = {{"explicit_decode", "explicit_decode.mla.fp32"},
                             {"explicit_decode", "explicit_decode.mla.fp16"},
                             {"explicit_decode", "explicit_decode.mla.bf16"}};
const Bundled kGqa[] = {{"explicit_decode", "explicit_decode.gqa.fp32"},
                        {"explicit_decode", "explicit_decode.gqa.fp16"},
                        {"explicit_decode", "explicit_decode.gqa.bf16"}};
const Bundled kPlain[] = {
    {"absorbed_plain", "absorbed_plain.fp32"}, {"absorbed_plain", "absorbed_plain.fp16"}, {"absorbed_plain", "absorbed_plain.bf16"}};
const Bundled kPaged[] = {{"absorbed_paged", "absorbed_paged.fp16"}, {"absorbed_paged", "absorbed_paged.bf16"}};
const Bundled kMma[] = {
    {"absorbed_mma", "absorbed_mma.fp16"}, {"absorbed_mma", "absorbed_mma.bf16"}, {"absorbed_mma", "absorbed_mma.bf16_alpha"}};

Problem paper(std::vector<Index> context, Index queries = 1) {
  Problem problem;
  problem.batch = static_cast<Index>(context.size());
  problem.context = std::move(context);
  problem.queries = queries;
  return problem;
}

std::string failing(const BackendResult& result) {
  std::string text = result.message;
  for (const BackendResult::Note& note : result.notes) text += note.fails ? note.text + "\n" : "";
  return text;
}

void check_outputs(const Declaration& declaration, const Call& call, const Expected<double>& exact) {
  const Values outputs = call.outputs();
  CHECK(worst_ratio(declaration, outputs, exact) <= 1);
  for (const auto& [name, values] : outputs) {
    INFO(name);
    CHECK(call.unwritten(name) == std::count_if(exact.at(name).begin(), exact.at(name).end(), [](double x) { return std::isnan(x); }));
  }
}

void run(const Bundled& kernel, const Problem& problem, Index splits = 1, const VirtualOptions& options = {}) {
  const std::string path = bundled(kernel.folder, kernel.manifest);
  Call call(path, problem, splits, 7);
  const Declaration declaration = load_manifest(path).declaration;
  const BackendResult result = open_virtual(path, options)->run(call.call(), {});
  INFO(kernel.manifest << " sm_" << options.target << " context " << problem.max_context() << " splits " << splits << "\n"
                       << failing(result));
  CHECK(result.status == EQUINORM_OK);
  CHECK(failing(result).empty());
  check_outputs(declaration, call, expected(problem, declaration, call.inputs()));
}

/// Fewest bits to which the values without rounding equal the formula, relative to the largest of a tensor.
double common_bits(const BackendResult& result, const Expected<Quad>& exact) {
  double bits = 113;
  for (const BackendResult::Shadow& shadow : result.shadows) {
    const std::vector<Quad>& wanted = exact.at(shadow.tensor);
    REQUIRE(shadow.high.size() == wanted.size());
    Quad largest = 0, error = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Quad x = wanted[i];
      if (x != x || static_cast<double>(x) == -INFINITY) continue;
      const Quad difference = x - shadow.high[i] - shadow.low[i];
      largest = std::max(largest, x < 0 ? -x : x);
      error = std::max(error, difference == difference ? (difference < 0 ? -difference : difference) : static_cast<Quad>(HUGE_VAL));
    }
    if (error > 0) bits = std::min(bits, -std::log2(static_cast<double>(error / largest)));
  }
  return bits;
}

void run_shadowed(const Bundled& kernel, const Problem& problem, int target, Index splits = 1) {
  const std::string path = bundled(kernel.folder, kernel.manifest);
  Call call(path, problem, splits, 11);
  const Declaration declaration = load_manifest(path).declaration;
  BackendOptions options;
  options.shadows = true;
  options.exact = exact_scalars(problem);
  VirtualOptions virtual_options;
  virtual_options.target = target;
  const BackendResult result = open_virtual(path, virtual_options)->run(call.call(), options);
  INFO(kernel.manifest << " sm_" << target << "\n" << failing(result));
  CHECK(failing(result).empty());
  REQUIRE_FALSE(result.shadows.empty());
  CHECK(common_bits(result, expected_exactly(problem, declaration, call.inputs())) >= 90);
}

template <std::size_t N>
void run_all(const Bundled (&kernels)[N], const Problem& problem, Index splits = 1) {
  for (const Bundled& kernel : kernels) {
    VirtualOptions options;
    for (const int target : {80, 90}) {
      options.target = target;
      run(kernel, problem, splits, options);
    }
  }
}

}  // namespace

TEST_CASE("cache_write") {
  Problem two_groups = paper({17, 5, 0});
  two_groups.groups = 2;
  run_all(kCacheWrite, two_groups);
  run({"cache_write", "cache_write.bf16"}, paper({1}));
  Problem unified = paper({9});
  unified.norm.scheme = problem::NormScheme::unified, unified.norm.kind = problem::NormKind::l2,
  unified.rope.layout = problem::RopeLayout::half;
  unified.groups = 2, unified.norm.weight = problem::NormWeight::zero_centred;
  run({"cache_write", "cache_write.fp16"}, unified);
  unified.norm.scheme = problem::NormScheme::none;
  run({"cache_write", "cache_write.fp32"}, unified);
}

TEST_CASE("cache_write, one statistic for all groups") {
  Problem wide = paper({17, 5, 0});
  wide.groups = 2, wide.norm.scheme = problem::NormScheme::full_width;
  run_all(kCacheWrite, wide);
  wide.groups = 1;
  run({"cache_write", "cache_write.bf16_alpha"}, wide);
  wide.context = {1}, wide.batch = 1, wide.groups = 16;
  run({"cache_write", "cache_write.bf16"}, wide);
  wide.context = {131}, wide.heads = wide.groups = 4, wide.content_dim = 32, wide.latent = 64, wide.norm.kind = problem::NormKind::l2;
  run({"cache_write", "cache_write.fp16"}, wide);
}

TEST_CASE("query absorption") {
  run({"query", "query.bf16"}, paper({17}));
  Problem two_heads = paper({17});
  two_heads.heads = two_heads.groups = 2;
  run_all(kQuery, two_heads);
  Problem several = paper({2, 30}, 3);  // a query before the first token is not turned
  several.groups = 1, several.heads = 2, several.rope.layout = problem::RopeLayout::half,
  several.norm.weight = problem::NormWeight::zero_centred;
  run({"query", "query.fp32"}, several);
  several.norm.scheme = problem::NormScheme::none;
  run({"query", "query.bf16"}, several);
}

TEST_CASE("query absorption, one statistic for all heads") {
  Problem wide = paper({17});
  wide.norm.scheme = problem::NormScheme::full_width;
  run({"query", "query.bf16"}, wide);
  wide.heads = 4, wide.groups = 2;
  run_all(kQuery, wide);
  wide.context = {2, 30}, wide.batch = 2, wide.queries = 3, wide.norm.weight = problem::NormWeight::zero_centred,
  wide.norm.kind = problem::NormKind::l2;
  run({"query", "query.fp16"}, wide);
  wide.norm.weight = problem::NormWeight::none;
  run({"query", "query.fp32"}, wide);
}

TEST_CASE("explicit decode") {
  Problem two_heads = paper({17});
  two_heads.heads = two_heads.groups = 2;
  run_all(kExplicit, two_heads);
  run({"explicit_decode", "explicit_decode.mla.bf16"}, paper({3}));
  Problem sink = paper({66, 0, 3}, 2);
  sink.sink = true, sink.groups = 1, sink.heads = 2;
  run({"explicit_decode", "explicit_decode.mla.fp32"}, sink);
  Problem gqa = paper({65, 1});
  gqa.attention = problem::Attention::gqa, gqa.norm.scheme = problem::NormScheme::per_head, gqa.heads = 8, gqa.groups = 2;
  run_all(kGqa, gqa);
  gqa.softcap = equinorm::scalar::Decimal("1.5");
  run({"explicit_decode", "explicit_decode.gqa.fp32"}, gqa);
  two_heads.softcap = equinorm::scalar::Decimal("0.5");
  run_all(kExplicit, two_heads);
}

TEST_CASE("absorbed decode, plain") {
  for (const Index context : {1, 63, 64, 65}) run({"absorbed_plain", "absorbed_plain.fp32"}, paper({context}));
  run_all(kPlain, paper({17}));
  Problem several = paper({20, 2, 0}, 3);
  several.sink = true, several.heads = 4, several.groups = 2, several.mask = {problem::MaskKind::window, 5};
  run({"absorbed_plain", "absorbed_plain.bf16"}, several);
  several.sink = false;
  run({"absorbed_plain", "absorbed_plain.fp32"}, several);
  several.softcap = equinorm::scalar::Decimal("0.5"), several.norm.scheme = problem::NormScheme::full_width;
  run_all(kPlain, several);
}

TEST_CASE("absorbed decode, paged, with splits") {
  for (const Index context : {1, 63, 64, 65}) run({"absorbed_paged", "absorbed_paged.bf16"}, paper({context}), 2);
  run_all(kPaged, paper({140}), 3);
  Problem several = paper({70, 2, 0}, 2);
  several.sink = true, several.heads = 4, several.groups = 4;
  run({"absorbed_paged", "absorbed_paged.fp16"}, several, 5);  // splits without a token
  several.norm.scheme = problem::NormScheme::full_width;
  run_all(kPaged, several, 2);
  several.softcap = equinorm::scalar::Decimal("0.5");
  run_all(kPaged, several, 3);
  several.norm.scheme = problem::NormScheme::blockwise, several.groups = 2;
  run({"absorbed_paged", "absorbed_paged.bf16"}, several, 1);
}

TEST_CASE("absorbed decode on tensor cores") {
  for (const Index context : {1, 17, 63, 64, 65, 140}) run({"absorbed_mma", "absorbed_mma.bf16"}, paper({context}), 1);
  run_all(kMma, paper({140}), 3);
  Problem several = paper({170, 2, 0, 33}, 2);
  several.sink = true, several.heads = 32, several.groups = 8;
  run({"absorbed_mma", "absorbed_mma.bf16"}, several, 4);
  several.mask = {problem::MaskKind::none, 0}, several.norm.scheme = problem::NormScheme::none, several.sink = false;
  run({"absorbed_mma", "absorbed_mma.fp16"}, several, 2);
  several.softcap = equinorm::scalar::Decimal("3");
  run({"absorbed_mma", "absorbed_mma.bf16"}, several, 3);
}

TEST_CASE("absorbed decode on tensor cores, with a soft-cap or one statistic for all heads") {
  Problem problem = paper({70, 33});
  problem.softcap = equinorm::scalar::Decimal("0.5");
  run_all(kMma, problem, 2);
  problem.norm.scheme = problem::NormScheme::full_width;
  run_all(kMma, problem, 3);
  problem.softcap = equinorm::scalar::Decimal("0"), problem.heads = problem.groups = 32;
  run_all(kMma, problem);
}

TEST_CASE("results do not depend on the order of blocks and warps, nor on when copies land") {
  for (const Bundled& kernel : {kMma[1], kPaged[1], kPlain[0], kExplicit[1], kCacheWrite[2], kQuery[1]}) {
    Problem problem = paper({40});
    const bool with_product = kernel.folder == std::string("cache_write") || kernel.folder == std::string("explicit_decode");
    if (with_product) problem.context = {9}, problem.heads = problem.groups = 2;
    const std::string path = bundled(kernel.folder, kernel.manifest);
    std::vector<Values> outputs;
    for (const auto order : {vgpu::Order::canonical, vgpu::Order::reversed, vgpu::Order::seeded}) {
      VirtualOptions options;
      options.options.order = order;
      options.options.copies = order == vgpu::Order::reversed ? vgpu::CopySchedule::eager : vgpu::CopySchedule::latest_legal;
      Call call(path, problem, 2, 7);
      const BackendResult result = open_virtual(path, options)->run(call.call(), {});
      INFO(kernel.manifest << "\n" << failing(result));
      CHECK(failing(result).empty());
      outputs.push_back(call.outputs());
    }
    CHECK(outputs[0] == outputs[1]);
    CHECK(outputs[0] == outputs[2]);
  }
}

TEST_CASE("with rounding removed every kernel equals its formula to 90 bits") {
  for (const int target : {80, 90}) {
    Problem few = paper({2});
    few.heads = few.groups = 2;
    for (const Bundled& kernel : {kCacheWrite[0], kCacheWrite[3]}) run_shadowed(kernel, few, target);
    run_shadowed(kQuery[2], few, target);
    run_shadowed(kExplicit[1], few, target);
    few.norm.scheme = problem::NormScheme::full_width;
    run_shadowed(kCacheWrite[3], few, target);
    run_shadowed(kQuery[2], few, target);
    few.norm.scheme = problem::NormScheme::blockwise;
    few.context = {70};
    run_shadowed(kPlain[0], few, target);
    few.sink = true;
    run_shadowed(kPaged[1], few, target, 3);
    run_shadowed(kMma[1], paper({67}), target, 2);
  }
}
