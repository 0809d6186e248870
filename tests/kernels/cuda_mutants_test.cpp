// Faults put into the bundled CUDA kernels and their manifests are found: by what the virtual GPU reports, or by wrong results.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cuda_support.hpp"
#include "kernels/cuda_manifest.hpp"

using namespace kernel_tests;
using namespace equinorm::kernels;

namespace {

struct Mutant {
  const char* name;
  const char* folder;
  const char* manifest;
  const char* entry;  ///< where in the PTX to begin; null: the manifest is changed
  std::string from, to;
  int which;
  const char* finding;  ///< in the report; empty: the results are wrong
  bool wide = false;    ///< a full-width norm and a soft-cap
};

const Mutant kMutants[] = {
    {"no wait for the copies", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16(", "cp.async.wait_group 2;", "", 0, "uninitialised"},
    {"waits for too few copies", "absorbed_mma", "absorbed_mma.fp16", "absorbed_mma_fp16(", "cp.async.wait_group 2;",
     "cp.async.wait_group 3;", 0, "uninitialised"},
    {"no barrier before a tile is read", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16(", "bar.sync \t0;", "", 0, "race"},
    {"no barrier after the scores", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16(", "bar.sync \t0;", "", 1, "race"},
    {"wrong rescale", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16(", "ex2.approx.f32", "abs.f32", 0, ""},
    {"keys past the end get a score of 0", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16(", "0fFF800000, %p", "0f00000000, %p", 7,
     ""},
    {"transposed keys", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16(", "ldmatrix.sync.aligned.m8n8.x4.shared",
     "ldmatrix.sync.aligned.m8n8.x4.trans.shared", 3, ""},
    {"values not transposed", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16(", "ldmatrix.sync.aligned.m8n8.x4.trans.shared",
     "ldmatrix.sync.aligned.m8n8.x4.shared", 5, ""},
    {"alpha_k left out", "absorbed_mma", "absorbed_mma.bf16", nullptr, R"({"tensor": "alpha_k", "optional": true})",
     R"({"tensor": "sink", "optional": true})", 0, ""},
    {"softmax to base 2", "absorbed_mma", "absorbed_mma.bf16", nullptr, "scale_log2e", "scale", 0, ""},
    {"one split combined", "absorbed_mma", "absorbed_mma.bf16", nullptr, R"({"int32": "splits"})", R"({"int32": 1})", 0, ""},
    {"the latents' pages for the RoPE keys", "absorbed_mma", "absorbed_mma.bf16", nullptr,
     R"({"tensor": "k_rope_cached", "what": "block_table"})", R"({"tensor": "c", "what": "block_table"})", 0, ""},
    {"too little shared memory", "absorbed_mma", "absorbed_mma.bf16", nullptr, "164864", "120000", 0, "bounds"},
    {"half the splits launched", "absorbed_mma", "absorbed_mma.bf16", nullptr, R"("grid": ["splits")", R"("grid": ["splits - 1")", 0,
     "uninitialised"},
    {"no barrier after the scores, paged", "absorbed_paged", "absorbed_paged.fp16", "absorbed_paged_fp16(", "bar.sync \t0;", "", 0, "race"},
    {"page size of half a page", "absorbed_paged", "absorbed_paged.fp16", nullptr, R"({"int32": "c.page_size"})",
     R"({"int32": "c.page_size / 2"})", 0, "bounds"},
    {"everyone reads group 0", "absorbed_plain", "absorbed_plain.fp32", nullptr, R"({"int32": "groups"})", R"({"int32": 1})", 0, ""},
    {"mask off", "absorbed_plain", "absorbed_plain.fp32", nullptr, R"({"int32": "mask"})", R"({"int32": 0})", 0, ""},
    {"no barrier after the query is loaded", "absorbed_plain", "absorbed_plain.fp32", "absorbed_plain_fp32(", "bar.sync \t0;", "", 0,
     "race"},
    {"another eps", "cache_write", "cache_write.fp32", nullptr, R"({"float32": "eps"})", R"({"float32": 0.01})", 0, ""},
    {"RMS taken as L2", "cache_write", "cache_write.fp32", nullptr, R"({"int32": "norm_kind"})", R"({"int32": 1})", 0, ""},
    {"no barrier after the latents are loaded", "cache_write", "cache_write.fp32", "cache_write_fp32(", "bar.sync \t0;", "", 0, "race"},
    {"gamma of the query twice", "query", "query.fp32", nullptr, R"({"tensor": "gamma_ck", "optional": true})",
     R"({"tensor": "gamma_cq", "optional": true})", 0, ""},
    {"cosine and sine swapped", "query", "query.fp32", nullptr, R"({"tensor": "rope_cos", "optional": true})",
     R"({"tensor": "rope_sin", "optional": true})", 0, ""},
    {"RoPE pairs in halves", "query", "query.fp32", nullptr, R"({"int32": "rope_layout"})", R"({"int32": 1})", 0, ""},
    {"values of the first matrix only", "explicit_decode", "explicit_decode.mla.fp32", nullptr, R"("groups", "batch"])", R"(1, "batch"])",
     0, "uninitialised"},
    {"one group joined", "cache_write", "cache_write.fp32", nullptr,
     R"({"int32": "groups"}, {"int32": "content_dim"}, {"int32": "norm_kind"})",
     R"({"int32": 1}, {"int32": "content_dim"}, {"int32": "norm_kind"})", 0, "", true},
    {"groups not joined", "cache_write", "cache_write.fp32", nullptr, R"("when": "groups - key_statistics")", R"("when": 0)", 0, "", true},
    {"one head's statistic", "query", "query.fp32", nullptr, R"({"int32": "norm_scheme"})", R"({"int32": 0})", 0, "", true},
    {"another cap", "absorbed_mma", "absorbed_mma.bf16", nullptr, R"({"float32": "softcap"})", R"({"float32": 0.7})", 1, "", true},
    {"no cap", "absorbed_paged", "absorbed_paged.fp16", nullptr, R"("entry": "absorbed_paged_fp16_capped")",
     R"("entry": "absorbed_paged_fp16")", 0, "", true},
    {"alpha_k of a group each", "absorbed_mma", "absorbed_mma.bf16", nullptr, R"("key_statistics")", R"("groups")", 1, "bounds", true},
    {"no barrier after the cap", "absorbed_mma", "absorbed_mma.bf16", "absorbed_mma_bf16_capped(", "bar.sync \t0;", "", 2, "race", true},
};

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A copy of a bundled kernel for sm_80 with one place changed; throws if there is no such place: a mutant that changes nothing proves
/// nothing.
class Changed {
 public:
  explicit Changed(const Mutant& mutant) {
    folder_ = std::filesystem::temp_directory_path() / ("equinorm_mutant_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    const std::filesystem::path manifest = bundled(mutant.folder, mutant.manifest);
    const std::string module = std::string(mutant.folder) + ".sm_80.ptx";
    std::string json = read(manifest), ptx = read(manifest.parent_path() / module);
    std::string& text = mutant.entry != nullptr ? ptx : json;
    std::size_t at = mutant.entry != nullptr ? text.find(std::string(".visible .entry ") + mutant.entry) : 0;
    for (int i = 0; i <= mutant.which && at != std::string::npos; ++i) at = text.find(mutant.from, at + 1);
    REQUIRE(at != std::string::npos);
    text.replace(at, mutant.from.size(), mutant.to);
    std::ofstream(path()) << json;
    std::ofstream(folder_ / module) << ptx;
  }
  ~Changed() { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "mutant.json").string(); }

 private:
  std::filesystem::path folder_;
};

}  // namespace

TEST_CASE("every fault in a bundled CUDA kernel or its manifest is found") {
  for (const Mutant& mutant : kMutants) {
    Problem problem;
    problem.batch = 2, problem.context = {140, 70};
    if (std::string(mutant.folder) != "absorbed_mma") problem.heads = 4, problem.groups = 2;
    if (std::string(mutant.folder) == "absorbed_plain") problem.queries = 2;
    if (std::string(mutant.folder) == "cache_write" || std::string(mutant.folder) == "explicit_decode") problem.context = {9, 3};
    if (mutant.wide) problem.softcap = equinorm::scalar::Decimal("0.5"), problem.norm.scheme = problem::NormScheme::full_width;
    const Changed changed(mutant);
    Call call(changed.path(), problem, 3, 5);
    VirtualOptions options;
    options.target = 80;
    const BackendResult result = open_virtual(changed.path(), options)->run(call.call(), {});
    std::string found;
    for (const BackendResult::Note& note : result.notes) found += note.fails ? note.text + "\n" : "";
    INFO(mutant.folder << ": " << mutant.name << "\n" << found);
    if (*mutant.finding != '\0') {
      CHECK_THAT(found, Catch::Contains(mutant.finding));
    } else {
      const Declaration declaration = load_manifest(changed.path()).declaration;
      CHECK(worst_ratio(declaration, call.outputs(), expected(problem, declaration, call.inputs())) > 4);
    }
  }
}

TEST_CASE("absorbed decode on tensor cores takes pages of any size") {
  const std::string pages = R"("layout": "paged", "page_size": 64)";
  for (const char* size : {"1", "7", "31", "32", "33", "96"}) {
    for (const int which : {0, 1}) {  // of k_rope_cached, of c
      const Changed changed({"", "absorbed_mma", "absorbed_mma.bf16_alpha", nullptr, pages,
                             R"("layout": "paged", "page_size": )" + std::string(size), which, "", false});
      Problem problem;
      problem.batch = 2, problem.context = {139, 70};
      Call call(changed.path(), problem, 2, 5);
      VirtualOptions options;
      options.target = 80;
      const BackendResult result = open_virtual(changed.path(), options)->run(call.call(), {});
      INFO("pages of " << size << " tokens in tensor " << which << "\n" << result.message);
      for (const BackendResult::Note& note : result.notes) CHECK_FALSE(note.fails);
      const Declaration declaration = load_manifest(changed.path()).declaration;
      CHECK(worst_ratio(declaration, call.outputs(), expected(problem, declaration, call.inputs())) <= 1);
    }
  }
}
