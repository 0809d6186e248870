// The CUDA backend, where there is no driver, and with a driver that runs on the virtual GPU.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cuda_support.hpp"
#include "kernels/cuda_driver.hpp"
#include "kernels/cuda_manifest.hpp"
#include "kernels/launch_plan.hpp"
#include "scalar/error.hpp"

using namespace kernel_tests;
using namespace equinorm::kernels;
using Catch::Contains;

namespace {

/// The fake driver is never unloaded: the first test that wants one loads it for the whole program.
void use_fake_driver() { setenv("EQUINORM_CUDA_DRIVER", EQUINORM_FAKE_DRIVER, 1); }

std::string failure(const std::string& manifest) {
  try {
    open_cuda(manifest);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Problem small() {
  Problem problem;
  problem.context = {17};
  problem.heads = problem.groups = 2;
  return problem;
}

/// A folder with a manifest of a query kernel made of `body`, which gets the address and the element count of q_tilde.
class Written {
 public:
  explicit Written(const std::string& body,
                   const std::string& arguments = R"({"tensor": "q_tilde"}, {"int32": "queries * heads * latent"})") {
    folder_ = std::filesystem::temp_directory_path() / ("equinorm_cuda_test_" + std::to_string(getpid()) + "_" + std::to_string(++count_));
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "k.ptx")
        << ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry test(.param .u64 a, .param .u32 n)\n{\n.reg .b32 %r<8>;\n.reg "
           ".b64 %rd<8>;\n"
           "ld.param.u64 %rd1, [a];\nld.param.u32 %r1, [n];\nmul.wide.u32 %rd2, %r1, 4;\nadd.u64 %rd3, %rd1, %rd2;\n"
        << body << "\nret;\n}\n";
    std::ofstream(path())
        << R"({"equinorm": 1, "name": "t", "path": "absorbed", "stages": ["query"], "outputs": {"q_tilde": {"dtype": "fp32"}}, "precision": {"storage": "fp32"},
      "cuda": {"modules": {"sm_80": "k.ptx"}, "launches": [{"entry": "test", "grid": [1], "block": [1], "arguments": [)"
        << arguments << "]}]}}";
  }
  ~Written() { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "k.json").string(); }

 private:
  static inline int count_ = 0;
  std::filesystem::path folder_;
};

BackendResult run(const Written& written, Call& call) { return open_cuda(written.path())->run(call.call(), {}); }

}  // namespace

TEST_CASE("without a driver a CUDA module is skipped, and the reason is said") {
  setenv("EQUINORM_CUDA_DRIVER", "/nonexistent/libcuda.so", 1);
  CHECK_THAT(failure(bundled("query", "query.fp32")), Contains("skipped: no driver") && Contains("/nonexistent/libcuda.so"));
  CHECK(cuda::driver_description().empty());
  use_fake_driver();
  CHECK(cuda::driver_description() == "CUDA 13.0, virtual GPU (sm_80)");
}

TEST_CASE("the CUDA backend gives what the virtual one gives") {
  use_fake_driver();
  const std::string manifests[] = {bundled("absorbed_mma", "absorbed_mma.bf16"), bundled("absorbed_paged", "absorbed_paged.fp16"),
                                   bundled("explicit_decode", "explicit_decode.mla.fp32"), bundled("query", "query.bf16")};
  for (const std::string& manifest : manifests) {
    Problem problem = small();
    problem.context = {17, 3}, problem.batch = 2, problem.heads = problem.groups = 16;
    if (manifest.find("explicit") != std::string::npos) problem.heads = problem.groups = 2;
    Call on_gpu(manifest, problem, 2, 3), on_virtual(manifest, problem, 2, 3);
    VirtualOptions options;
    options.target = 80;
    const BackendResult result = open_cuda(manifest)->run(on_gpu.call(), {});
    CHECK(result.status == EQUINORM_OK);
    CHECK(result.notes.empty());
    CHECK(result.seconds > 0);
    open_virtual(manifest, options)->run(on_virtual.call(), {});
    CHECK(on_gpu.outputs() == on_virtual.outputs());
    for (const auto& [name, values] : on_gpu.outputs()) CHECK(on_gpu.unwritten(name) == 0);
  }
}

TEST_CASE("writes outside a buffer are seen in its guards; unwritten outputs keep the caller's poison") {
  use_fake_driver();
  const Written after("st.global.u32 [%rd3], 7;"), before("st.global.u32 [%rd1+-8], 7;"), nothing("");
  Call call(nothing.path(), small(), 1, 1);
  const BackendResult wrote_after = run(after, call), wrote_before = run(before, call);
  REQUIRE(wrote_after.notes.size() == 1);
  CHECK(wrote_after.notes[0].fails);
  CHECK(wrote_after.notes[0].text == "wrote out of bounds: 4 bytes after 'q_tilde'");
  REQUIRE(wrote_before.notes.size() == 1);
  CHECK(wrote_before.notes[0].text == "wrote out of bounds: 4 bytes before 'q_tilde'");
  CHECK(run(nothing, call).notes.empty());
  CHECK(call.unwritten("q_tilde") == 2 * 512);
}

TEST_CASE("an input that a kernel changed comes back changed") {
  use_fake_driver();
  const Written written("st.global.u32 [%rd1], 0;", R"({"tensor": "q_content"}, {"int32": 1})");
  Call call(written.path(), small(), 1, 1);
  const equinorm_tensor* tensor = find_tensor(call.call(), "q_content");
  REQUIRE(tensor != nullptr);
  CHECK(*static_cast<const float*>(tensor->data) != 0.0f);
  run(written, call);
  CHECK(*static_cast<const float*>(tensor->data) == 0.0f);
}

TEST_CASE("what the driver rejects is said with its text") {
  use_fake_driver();
  const Written far("mov.u64 %rd4, 16;\nst.global.u32 [%rd4], 7;");
  Call call(far.path(), small(), 1, 1);
  CHECK_THROWS_WITH(run(far, call), Contains("CUDA_ERROR_ILLEGAL_ADDRESS (700): from the virtual GPU"));
  const Written broken("no.such.opcode %r1");
  CHECK_THAT(failure(broken.path()), Contains("k.ptx: cuModuleLoadDataEx: ") && Contains("CUDA_ERROR_INVALID_IMAGE"));
  BackendOptions shadows;
  shadows.shadows = true;
  const Written nothing("");
  CHECK_THROWS_WITH(open_cuda(nothing.path())->run(call.call(), shadows), Contains("no values without rounding"));
}

TEST_CASE("a source file needs NVRTC, and says so") {
  use_fake_driver();
  const Written written("");
  std::ofstream(written.path())
      << R"({"equinorm": 1, "name": "t", "path": "absorbed", "stages": ["query"], "outputs": {"q_tilde": {"dtype": "fp32"}}, "precision": {"storage": "fp32"},
    "cuda": {"source": "k.cu", "options": ["-DX=1"], "launches": [{"entry": "test", "grid": [1], "block": [1], "arguments": []}]}})";
  if (cuda::nvrtc_description().empty()) {
    const std::string folder = std::filesystem::path(written.path()).parent_path().string();
    std::ofstream(folder + "/k.cu") << "extern \"C\" __global__ void test() {}\n";
    CHECK_THAT(failure(written.path()), Contains("skipped: no NVRTC"));
  } else {
    CHECK_THAT(failure(written.path()), Contains("k.cu: cannot be read"));
  }
}
