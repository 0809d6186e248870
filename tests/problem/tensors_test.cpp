#include "problem/tensors.hpp"

#include <algorithm>

#include "problem/scale.hpp"
#include "support.hpp"

namespace equinorm::problem {
namespace {

/// "name[d,d] name?[d]": one line for a whole list of tensors, ? for optional ones.
std::string listing(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    text += (text.empty() ? "" : " ") + spec.name + (spec.optional ? "?[" : "[");
    for (std::size_t i = 0; i < spec.shape.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(spec.shape[i]);
    text += "]";
  }
  return text;
}

// Distinct dims, so that a swapped one shows: B=2 S=3 T=7 H=6 G=3 r=20 d_c=8 d_r=4 d_v=5, model 11, query latent 9.
std::string mla(const std::string& more) {
  return R"({"batch": 2, "queries": 3, "context": [7, 5], "heads": 6, "groups": 3, "latent": 20, "content_dim": 8, "value_dim": 5)" + more +
         "}";
}
std::string inputs_of(const std::string& json) {
  const Problem p = parse_problem(json, "p");
  return listing(input_tensors(p, default_table_rows(p)));
}
std::string outputs_of(const std::string& json) { return listing(output_tensors(parse_problem(json, "p"))); }

const std::string kLatentInputs = "c[2,7,20] k_rope[2,7,4] q_content[2,3,6,8] q_rope[2,3,6,4] w_k[3,20,8] w_v[3,20,5]";
const std::string kTables = " rope_cos[7,2] rope_sin[7,2]";
const std::string kPositions = " positions_q?[2,3] positions_k?[2,7]";

TEST_CASE("input tensors: mla by scheme") {
  const std::string blockwise = " gamma_cq[8] gamma_ck[8] gamma_rq[4] gamma_rk[4]";
  CHECK(inputs_of(mla(R"(, "rope_dim": 4)")) == kLatentInputs + blockwise + kTables + kPositions);
  CHECK(inputs_of(mla(R"(, "rope_dim": 4, "norm": {"scheme": "unified"})")) ==
        kLatentInputs + " gamma_q[12] gamma_k[12]" + kTables + kPositions);
  CHECK(inputs_of(mla(R"(, "rope_dim": 4, "norm": {"scheme": "full_width"})")) ==
        kLatentInputs + " gamma_cq[48] gamma_ck[24] gamma_rq[24] gamma_rk[4]" + kTables + kPositions);
  CHECK(inputs_of(mla(R"(, "rope_dim": 4, "norm": {"scheme": "none"})")) == kLatentInputs + kTables + kPositions);
  CHECK(inputs_of(mla(R"(, "rope_dim": 4, "norm": {"weight": "none"})")) == kLatentInputs + kTables + kPositions);
  CHECK(inputs_of(mla(R"(, "rope_dim": 4, "rope": {"layout": "none"})")) == kLatentInputs + blockwise + kPositions);
  CHECK(inputs_of(mla(R"(, "rope_dim": 0)")) ==
        "c[2,7,20] q_content[2,3,6,8] w_k[3,20,8] w_v[3,20,5] gamma_cq[8] gamma_ck[8]" + kPositions);
}

TEST_CASE("input tensors: sink, gate and output projection") {
  CHECK(inputs_of(mla(R"(, "rope_dim": 4, "norm": {"scheme": "none"}, "sink": true, "output_gate": true, "model_dim": 11)")) ==
        kLatentInputs + kTables + kPositions + " sink[6] gate[2,3,30] w_o[30,11]");
}

TEST_CASE("input tensors: mla from x") {
  const std::string common = R"(, "rope_dim": 4, "start": "x", "model_dim": 11, "norm": {"scheme": "none", "latent_norm": )";
  const std::string tail = " w_k[3,20,8] w_v[3,20,5]" + kTables + kPositions + " w_o[30,11]";
  CHECK(inputs_of(mla(common + "false}")) == "x[2,7,11] w_dkv[11,20] w_kr[11,4] w_uq[11,72]" + tail);
  CHECK(inputs_of(mla(common + R"(true})")) == "x[2,7,11] w_dkv[11,20] w_kr[11,4] w_uq[11,72] gamma_kv_latent[20]" + tail);
  CHECK(inputs_of(mla(common + R"(true}, "query_latent": 9)")) ==
        "x[2,7,11] w_dkv[11,20] w_kr[11,4] w_dq[11,9] w_uq[9,72] gamma_kv_latent[20] gamma_q_latent[9]" + tail);
  CHECK(inputs_of(mla(R"(, "rope_dim": 0, "start": "x", "model_dim": 11, "norm": {"scheme": "none"})")) ==
        "x[2,7,11] w_dkv[11,20] w_uq[11,48] w_k[3,20,8] w_v[3,20,5]" + kPositions + " w_o[30,11]");
}

std::string gqa(const std::string& more) {
  return R"({"attention": "gqa", "batch": 2, "queries": 3, "context": 7, "heads": 6, "groups": 3, "head_dim": 10, "rope_dim": 4, "value_dim": 5)" +
         more + "}";
}

TEST_CASE("input tensors: gqa") {
  const std::string latent = "q[2,3,6,10] k[2,7,3,10] v[2,7,3,5]";
  CHECK(inputs_of(gqa("")) == latent + " gamma_q[10] gamma_k[10]" + kTables + kPositions);
  CHECK(inputs_of(gqa(R"(, "norm": {"scheme": "full_width"})")) == latent + " gamma_q[60] gamma_k[30]" + kTables + kPositions);
  CHECK(inputs_of(gqa(R"(, "norm": {"scheme": "none"}, "rope": {"layout": "none"})")) == latent + kPositions);
  CHECK(inputs_of(gqa(R"(, "start": "x", "model_dim": 11, "norm": {"weight": "none"})")) ==
        "x[2,7,11] w_q[11,60] w_k[11,30] w_v[11,15]" + kTables + kPositions + " w_o[30,11]");
}

TEST_CASE("output tensors: mla") {
  const std::string scores = " logits[2,6,3,7] lse[2,6,3] p?[2,6,3,7] u[2,3,6,20] o[2,3,6,5]";
  CHECK(outputs_of(mla(R"(, "rope_dim": 4)")) ==
        "alpha_k[2,7,3] k_rope_cached[2,7,4] k_hat[2,7,3,12] alpha_q[2,3,6] q_tilde[2,3,6,20] q_rope_hat[2,3,6,4] q_hat[2,3,6,12]" +
            scores);
  CHECK(outputs_of(mla(R"(, "rope_dim": 4, "norm": {"scheme": "full_width"}, "output_gate": true, "model_dim": 11)")) ==
        "alpha_k[2,7,1] k_rope_cached[2,7,4] k_hat[2,7,3,12] alpha_q[2,3,6] q_tilde[2,3,6,20] q_rope_hat[2,3,6,4] q_hat[2,3,6,12]" +
            scores + " o_gated[2,3,6,5] y[2,3,11]");
  CHECK(outputs_of(mla(R"(, "rope_dim": 0, "norm": {"scheme": "none"})")) == "k_hat[2,7,3,8] q_tilde[2,3,6,20] q_hat[2,3,6,8]" + scores);
}

TEST_CASE("output tensors: gqa") {
  CHECK(outputs_of(gqa("")) ==
        "alpha_k[2,7,3] k_deferred[2,7,3,10] k_hat[2,7,3,10] alpha_q[2,3,6] q_hat[2,3,6,10] logits[2,6,3,7] lse[2,6,3] p?[2,6,3,7] "
        "o[2,3,6,5]");
}

TEST_CASE("tensors: names are unique and tables have a row even for empty contexts") {
  const Problem p = parse_problem(R"({"context": 0})", "p");
  CHECK(default_table_rows(p) == 1);
  for (const auto& specs : {input_tensors(p, 1), output_tensors(p)}) {
    for (const TensorSpec& spec : specs) {
      CHECK(std::count_if(specs.begin(), specs.end(), [&](const TensorSpec& other) { return other.name == spec.name; }) == 1);
    }
  }
}

TEST_CASE("softmax scale: value, default and YaRN") {
  const ScaleSpec plain = softmax_scale(parse_problem("{}", "p"));
  CHECK((!plain.value && plain.inverse_sqrt_of == 192 && !plain.yarn));
  CHECK(softmax_scale(parse_problem(R"({"attention": "gqa", "head_dim": 256})", "p")).inverse_sqrt_of == 256);
  const std::string yarn = R"("rope": {"scaling": {"type": "yarn", "factor": 40, "mscale": 0.707}})";
  const ScaleSpec scaled = softmax_scale(parse_problem("{" + yarn + "}", "p"));
  REQUIRE(scaled.yarn);
  CHECK((scaled.yarn->mscale.text() == "0.707" && scaled.yarn->factor.text() == "40" && scaled.inverse_sqrt_of == 192));
  const ScaleSpec given = softmax_scale(parse_problem(R"({"scale": 0.5, )" + yarn + "}", "p"));
  CHECK((given.value->text() == "0.5" && !given.yarn));
  CHECK(!softmax_scale(parse_problem(R"({"rope": {"scaling": {"type": "linear", "factor": 8}}})", "p")).yarn);
}

}  // namespace
}  // namespace equinorm::problem
