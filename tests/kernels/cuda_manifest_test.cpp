// Expressions, manifests and launch plans; what is wrong with them is said in one line.
#include "kernels/cuda_manifest.hpp"

#include <catch2/catch.hpp>

#include "cuda_support.hpp"
#include "kernels/exact_scalars.hpp"
#include "kernels/launch_plan.hpp"
#include "scalar/error.hpp"

using namespace kernel_tests;
using namespace equinorm::kernels;
using Catch::Contains;

namespace {

std::int64_t value(const std::string& text) {
  return Expression::parse(text, "f").evaluate([](std::string_view name) -> std::optional<std::int64_t> {
    if (name == "a") return 7;
    if (name == "c.stride1") return 512;
    return std::nullopt;
  });
}

std::string parse_failure(const std::string& text) {
  try {
    value(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const std::string kManifest = R"json({"equinorm": 1, "name": "t", "path": "absorbed", "stages": ["score", "softmax", "value"],
  "inputs": {"c": {"dtype": "bf16", "layout": "paged", "page_size": 64}}, "outputs": {"u": {"dtype": "bf16"}, "lse": {"dtype": "fp32"}},
  "cuda": {"modules": {"sm_90": "b.ptx", "sm_80": "a.ptx"}, "workspace": "batch * heads * 4",
    "launches": [{"entry": "k", "when": "splits - 1", "grid": ["cdiv(context, 64)", "heads"], "block": [128], "shared": "latent * 4",
      "arguments": [{"tensor": "c"}, {"tensor": "c", "what": "block_table"}, {"tensor": "sink", "optional": true}, {"workspace": "heads * 4"},
                    {"int32": "c.page_size"}, {"int64": "c.page_stride"}, {"float32": "eps"}, {"float32": 0.1}, {"float64": "scale_log2e"}]}]}})json";

std::string with(const std::string& from, const std::string& to) {
  std::string text = kManifest;
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string failure(const std::string& from, const std::string& to) {
  try {
    parse_manifest(with(from, to), "k.json", "/folder");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("expressions") {
  CHECK(value("1 + 2 * 3 - 4") == 3);
  CHECK(value("(1 + 2) * -3") == -9);
  CHECK(value("-7 / 2") == -4);
  CHECK(value("-7 % 2") == 1);
  CHECK(value("cdiv(7, 2) + cdiv(-7, 2)") == 1);
  CHECK(value("min(a, 3) * max(a, 9)") == 27);
  CHECK(value("c.stride1*a") == 3584);
  CHECK(value("9223372036854775807") == 9223372036854775807);
  CHECK(value("8 - 2 - 1") == 5);
  CHECK(value("64 / 4 / 2") == 8);
  CHECK_THAT(parse_failure("1 +"), Contains("stops making sense at character 4"));
  CHECK_THAT(parse_failure("min(1)"), Contains("stops making sense"));
  CHECK_THAT(parse_failure("1 2"), Contains("character 3"));
  CHECK_THAT(parse_failure(""), Contains("character 1"));
  CHECK_THAT(parse_failure("9223372036854775808"), Contains("stops making sense"));
  CHECK_THAT(parse_failure("9223372036854775807 + 1"), Contains("leaves 64 bits"));
  CHECK_THAT(parse_failure("a / (a - 7)"), Contains("divides by 0"));
  CHECK_THAT(parse_failure("b"), Contains("'b' has no value"));
  CHECK_THAT(parse_failure(std::string(1000, '(') + "1"), Contains("nested too deeply"));
  CHECK_THAT(parse_failure(std::string(1000, '-') + "1"), Contains("nested too deeply"));
}

TEST_CASE("a manifest is read") {
  const CudaManifest manifest = parse_manifest(kManifest, "k.json", "/folder");
  REQUIRE(manifest.modules.size() == 2);
  CHECK(manifest.modules[0].target == 80);
  CHECK(manifest.modules[1].path == "/folder/b.ptx");
  CHECK(manifest.declaration.device == DeviceKind::cuda);
  CHECK(manifest.launches.at(0).arguments.size() == 9);
  // What the judge is told has no key of the launches, and says the same.
  const Declaration again = parse_declaration(manifest.declaration_json, "again");
  CHECK(again.device == DeviceKind::cuda);
  CHECK(again.inputs.at("c").page_size == 64);
}

TEST_CASE("bad manifests name the field, the value and what is allowed") {
  CHECK(failure("\"cuda\"", "\"cuda\"").empty());
  CHECK_THAT(failure("\"sm_90\"", "\"gfx90a\""), Contains("k.json: cuda.modules holds \"gfx90a\"; allowed: sm_80, sm_90"));
  CHECK_THAT(failure(R"("modules": {"sm_90": "b.ptx", "sm_80": "a.ptx"}, )", ""), Contains("cuda.modules and cuda.source are missing"));
  CHECK_THAT(failure("\"launches\"", "\"lunches\""), Contains("cuda.launches is missing"));
  CHECK_THAT(failure("\"entry\": \"k\", ", ""), Contains("cuda.launches[0].entry is missing"));
  CHECK_THAT(failure("[\"cdiv(context, 64)\", \"heads\"]", "[1, 1, 1, 1]"), Contains("cuda.launches[0].grid is"));
  CHECK_THAT(failure("cdiv(context, 64)", "cdiv(contex, 64)"), Contains("cuda.launches[0].grid[0] uses 'contex'"));
  CHECK_THAT(failure("c.page_size\"}", "c.pagesize\"}"), Contains("'c.pagesize'; allowed after the dot: shape0"));
  CHECK_THAT(failure("{\"tensor\": \"c\"}", "{\"tensor\": \"w_v\"}"),
             Contains("cuda.launches[0].arguments[0].tensor is \"w_v\"; these stages pass no such tensor"));
  CHECK_THAT(failure("{\"float32\": \"eps\"}", "{\"float32\": \"epsilon\"}"),
             Contains("allowed: a number, eps, scale, softcap, scale_log2e"));
  CHECK_THAT(failure("{\"float32\": \"eps\"}", "{\"float16\": \"eps\"}"), Contains("arguments[6] says no kind"));
  CHECK_THAT(failure("\"what\": \"block_table\"", "\"what\": \"strides\""), Contains("allowed: data, block_table"));
  CHECK_THAT(failure("\"block\": [128], ", ""), Contains("cuda.launches[0].block is missing"));
  CHECK_THAT(failure("\"block\": [128]", "\"block\": [128], \"cluster\": 2"), Contains("cluster"));
  CHECK_THAT(failure("\"path\": \"absorbed\"", "\"path\": \"absurd\""), Contains("k.json: path"));
}

TEST_CASE("names that follow from a problem") {
  Problem problem;
  problem.heads = problem.groups = 8;
  const std::vector<std::int32_t> lengths{1};
  CHECK(problem_integer(abi_problem(problem, lengths, 1), "capped") == 0);
  CHECK(problem_integer(abi_problem(problem, lengths, 1), "key_statistics") == 8);
  problem.softcap = scalar::Decimal("0.5"), problem.norm.scheme = problem::NormScheme::full_width;
  CHECK(problem_integer(abi_problem(problem, lengths, 1), "capped") == 1);
  CHECK(problem_integer(abi_problem(problem, lengths, 1), "key_statistics") == problem.key_statistics());
}

TEST_CASE("a plan: numbers, places, exact scalars") {
  const CudaManifest manifest = parse_manifest(kManifest, "k.json", "");
  Problem problem;
  problem.context = {130}, problem.batch = 1, problem.heads = problem.groups = 2;
  const std::vector<std::int32_t> lengths{130};
  equinorm_problem abi = abi_problem(problem, lengths, 3);
  const std::int32_t table[3] = {0, 1, 2};
  equinorm_tensor c{};
  c.name = "c", c.rank = 3, c.dtype = EQUINORM_BF16, c.shape[0] = 1, c.shape[1] = 130, c.shape[2] = 512;
  c.block_table = table, c.blocks_per_row = 3, c.page_size = 64, c.page_stride = 64 * 512, c.pages = 3;
  equinorm_call call{};
  call.problem = &abi, call.inputs = &c, call.input_count = 1;
  const LaunchPlan plan = plan_launches(manifest, call, exact_scalars(problem));
  CHECK(plan.workspace == 8);
  REQUIRE(plan.launches.size() == 1);
  const PlannedLaunch& launch = plan.launches[0];
  CHECK(launch.grid == std::array<std::uint32_t, 3>{3, 2, 1});
  CHECK(launch.block == std::array<std::uint32_t, 3>{128, 1, 1});
  CHECK(launch.shared == 2048);
  CHECK(launch.arguments[0].tensor == "c");
  CHECK(launch.arguments[2].tensor.empty());
  CHECK(launch.arguments[3].offset == 8);
  CHECK(launch.arguments[4].integer == 64);
  CHECK(launch.arguments[5].integer == 64 * 512);
  // 1e-6 and 0.1 beyond binary64, and 192^(-1/2) log2(e).
  CHECK(launch.arguments[6].real == 1e-6);
  CHECK(launch.arguments[6].real_low == Approx(4.52e-23).epsilon(0.01));
  CHECK(static_cast<Quad>(launch.arguments[7].real) * 10 + static_cast<Quad>(launch.arguments[7].real_low) * 10 - 1 < 1e-31);
  CHECK(launch.arguments[7].real_low == Approx(-5.551115123125783e-18));
  const Quad scale = static_cast<Quad>(launch.arguments[8].real) + launch.arguments[8].real_low;
  const Quad ln2 = static_cast<Quad>(0x1.62e42fefa39efp-1) + 0x1.abc9e3b39803fp-56;
  const Quad one = scale * ln2 * (scale * ln2) * 192;
  CHECK(std::fabs(static_cast<double>(one - 1)) < 1e-31);

  abi.splits = 1;
  CHECK(plan_launches(manifest, call, {}).launches.empty());
  abi.splits = 2, abi.heads = 70000;
  CHECK_THROWS_WITH(plan_launches(manifest, call, {}), Contains("k.grid is 70000; allowed: from 0 to 65535"));
  abi.heads = 2;
  CudaManifest wide = parse_manifest(with("\"block\": [128]", "\"block\": [128, 9]"), "k.json", "");
  CHECK_THROWS_WITH(plan_launches(wide, call, {}), Contains("k.block has 1152 threads; allowed: from 1 to 1024"));
  wide = parse_manifest(with("\"int32\": \"c.page_size\"", "\"int32\": \"c.page_size * 4294967296\""), "k.json", "");
  CHECK_THROWS_WITH(plan_launches(wide, call, {}), Contains("k.arguments[4] is 274877906944; allowed: what fits 32 bits"));
  wide = parse_manifest(with("\"workspace\": \"heads * 4\"", "\"workspace\": \"heads * 40\""), "k.json", "");
  CHECK_THROWS_WITH(plan_launches(wide, call, {}), Contains("k.arguments[3] is byte 80 of the workspace; allowed: up to its 8 bytes"));
  wide = parse_manifest(with("\"optional\": true", "\"optional\": false"), "k.json", "");
  CHECK_THROWS_WITH(plan_launches(wide, call, {}), Contains("no tensor 'sink'"));
  c.block_table = nullptr;
  CHECK_THROWS_WITH(plan_launches(manifest, call, {}), Contains("'c' is not paged"));
}
