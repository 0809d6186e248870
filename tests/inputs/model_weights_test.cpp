// Synthetic checkpoints whose elements encode their own indices, so that every transposition and slice is checked element by element.
#include "inputs/model_weights.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <functional>

#include "inputs/generate.hpp"
#include "inputs/support.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::inputs {
namespace {

using Catch::Matchers::Contains;
using problem::Index;
using problem::Problem;
using tensor::AnyTensor;
using tensor::DType;
using tensor::TensorMap;

constexpr Index kHidden = 20;

/// Matrix with element (row, column) = salt + row + column / 64: exact in F32.
AnyTensor coded(Index rows, Index columns, double salt) {
  AnyTensor matrix(DType::f32, {rows, columns});
  for (Index row = 0; row < rows; ++row) {
    for (Index column = 0; column < columns; ++column) {
      const double value = salt + static_cast<double>(row) + static_cast<double>(column) / 64;
      matrix.write(row * columns + column, 1, &value);
    }
  }
  return matrix;
}

double code(double salt, Index row, Index column) { return salt + static_cast<double>(row) + static_cast<double>(column) / 64; }

AnyTensor coded_vector(Index size, double salt) {
  const AnyTensor row = coded(1, size, salt);
  return {DType::f32, {size}, row.bytes(), std::make_shared<AnyTensor>(row)};
}

Problem tiny_mla(Index heads) {
  Problem p = from_x(small_mla());
  p.batch = 1;
  p.queries = 2;
  p.context = {5};
  p.model_dim = kHidden;
  p.heads = p.groups = heads;
  p.latent = 12;
  p.content_dim = 6;
  p.rope_dim = 4;
  p.value_dim = 5;
  p.query_latent = 8;
  p.precision.storage = scalar::kFp32;
  return p;
}

TensorMap mla_checkpoint(Index heads, bool query_latent) {
  const std::string at = "model.layers.3.self_attn.";
  TensorMap file{{at + "kv_a_proj_with_mqa.weight", coded(12 + 4, kHidden, 1000)},
                 {at + "kv_b_proj.weight", coded(heads * 11, 12, 2000)},
                 {at + "kv_a_layernorm.weight", coded_vector(12, 3000)},
                 {at + "o_proj.weight", coded(kHidden, heads * 5, 4000)}};
  if (query_latent) {
    file.emplace(at + "q_a_proj.weight", coded(8, kHidden, 5000));
    file.emplace(at + "q_b_proj.weight", coded(heads * 10, 8, 6000));
    file.emplace(at + "q_a_layernorm.weight", coded_vector(8, 7000));
  } else {
    file.emplace(at + "q_proj.weight", coded(heads * 10, kHidden, 6000));
  }
  return file;
}

/// Checks every element of a tensor against expected(flat indices along its axes).
void check_elements(const TensorMap& inputs, const std::string& name, const std::function<double(Index, Index, Index)>& expected) {
  const AnyTensor& tensor = inputs.at(name);
  const bool three = tensor.shape().size() == 3;
  const Index rows = tensor.shape()[three ? 1 : 0], columns = tensor.shape().back();
  for (Index flat = 0; flat < tensor.size(); ++flat) {
    CAPTURE(name, flat);
    REQUIRE(tensor.at(flat) == expected(flat / (rows * columns), flat / columns % rows, flat % columns));
  }
}

void check_mla(const TensorMap& inputs, Index first) {
  check_elements(inputs, "w_dkv", [](Index, Index m, Index i) { return code(1000, i, m); });
  check_elements(inputs, "w_kr", [](Index, Index m, Index j) { return code(1000, 12 + j, m); });
  check_elements(inputs, "w_k", [=](Index g, Index i, Index j) { return code(2000, (first + g) * 11 + j, i); });
  check_elements(inputs, "w_v", [=](Index g, Index i, Index j) { return code(2000, (first + g) * 11 + 6 + j, i); });
  check_elements(inputs, "w_o", [=](Index, Index row, Index m) { return code(4000, m, first * 5 + row); });
  CHECK(inputs.at("gamma_kv_latent").at(7) == code(3000, 0, 7));
}

TEST_CASE("DeepSeek names: every element lands where the formulas want it, whole and as a slice") {
  const TemporaryFolder folder("mla-weights");
  tensor::write_safetensors(folder.file("model.safetensors"), mla_checkpoint(4, true));
  for (const auto& [heads, first] : {std::pair<Index, Index>(4, 0), {2, 0}, {2, 2}, {1, 3}}) {
    CAPTURE(heads, first);
    const Problem p = tiny_mla(heads);
    const ModelLayer layer = load_model_layer(p, folder.path(), 3, first);
    check_mla(layer.inputs, first);
    check_elements(layer.inputs, "w_dq", [](Index, Index m, Index a) { return code(5000, a, m); });
    check_elements(layer.inputs, "w_uq", [first = first](Index, Index a, Index column) { return code(6000, first * 10 + column, a); });
    CHECK(layer.inputs.at("gamma_q_latent").at(2) == code(7000, 0, 2));
    CHECK(values_of(layer.inputs.at("x")) == values_of(generate_inputs(p).at("x")));
    CHECK(values_of(layer.inputs.at("gamma_ck")) == values_of(generate_inputs(p).at("gamma_ck")));
    const std::string notes = fmt::format("{}", fmt::join(layer.notes, "\n"));
    CHECK_THAT(notes, Contains("gamma_cq: not in the checkpoint") && Contains("x: not in the checkpoint"));
    CHECK((notes.find(fmt::format("heads {} to {} of 4", first, first + heads - 1)) != std::string::npos) == (heads < 4));
  }
  CHECK_THROWS_WITH(load_model_layer(tiny_mla(2), folder.path(), 3, 3), Contains("4 heads") && Contains("heads 3 to 4"));
  CHECK_THROWS_WITH(load_model_layer(tiny_mla(4), folder.path(), 2), Contains("layer 2"));
}

TEST_CASE("without a query latent q_proj is the up-projection") {
  const TemporaryFolder folder("mla-lite-weights");
  tensor::write_safetensors(folder.file("lite.safetensors"), mla_checkpoint(3, false));
  Problem p = tiny_mla(3);
  p.query_latent = 0;
  const ModelLayer layer = load_model_layer(p, folder.file("lite.safetensors"), 3);
  check_mla(layer.inputs, 0);
  check_elements(layer.inputs, "w_uq", [](Index, Index m, Index column) { return code(6000, column, m); });
}

Problem tiny_gqa() {
  Problem p = from_x(small_gqa());
  p.batch = 1;
  p.queries = 2;
  p.context = {5};
  p.model_dim = kHidden;
  p.heads = 4;
  p.groups = 2;
  p.head_dim = p.value_dim = 6;
  p.rope_dim = 4;
  p.precision.storage = scalar::kFp32;
  return p;
}

TensorMap gqa_checkpoint(Index query_rows, Index norm_q, Index norm_k) {
  const std::string at = "model.layers.0.self_attn.";
  return {{at + "q_proj.weight", coded(query_rows, kHidden, 1000)}, {at + "k_proj.weight", coded(12, kHidden, 2000)},
          {at + "v_proj.weight", coded(12, kHidden, 3000)},         {at + "o_proj.weight", coded(kHidden, 24, 4000)},
          {at + "q_norm.weight", coded_vector(norm_q, 5000)},       {at + "k_norm.weight", coded_vector(norm_k, 6000)}};
}

TEST_CASE("Qwen3 names, whole and as a slice of one group") {
  const TemporaryFolder folder("gqa-weights");
  tensor::write_safetensors(folder.file("m.safetensors"), gqa_checkpoint(24, 6, 6));
  Problem p = tiny_gqa();
  for (const Index first : {0, 2}) {
    if (first == 2) {
      p.heads = 2;
      p.groups = 1;
    }
    const ModelLayer layer = load_model_layer(p, folder.file("m.safetensors"), 0, first);
    const Index group = first / 2;
    check_elements(layer.inputs, "w_q", [=](Index, Index m, Index column) { return code(1000, first * 6 + column, m); });
    check_elements(layer.inputs, "w_k", [=](Index, Index m, Index column) { return code(2000, group * 6 + column, m); });
    check_elements(layer.inputs, "w_v", [=](Index, Index m, Index column) { return code(3000, group * 6 + column, m); });
    check_elements(layer.inputs, "w_o", [=](Index, Index row, Index m) { return code(4000, m, first * 6 + row); });
    CHECK(layer.inputs.at("gamma_q").at(5) == code(5000, 0, 5));
    CHECK(layer.inputs.at("gamma_k").at(4) == code(6000, 0, 4));
  }
  CHECK_THROWS_WITH(load_model_layer(p, folder.file("m.safetensors"), 0, 1), Contains("first head 1"));
}

TEST_CASE("full-width norms (OLMo 2, MiniMax M2) keep a weight per element and cannot be sliced") {
  const TemporaryFolder folder("olmo-weights");
  tensor::write_safetensors(folder.file("m.safetensors"), gqa_checkpoint(24, 24, 12));
  Problem p = tiny_gqa();
  CHECK_THROWS_WITH(load_model_layer(p, folder.file("m.safetensors"), 0), Contains("q_norm") && Contains("[24]") && Contains("[6]"));
  p.norm.scheme = problem::NormScheme::full_width;
  const ModelLayer layer = load_model_layer(p, folder.file("m.safetensors"), 0);
  CHECK(layer.inputs.at("gamma_q").at(23) == code(5000, 0, 23));
  CHECK(layer.inputs.at("gamma_k").at(11) == code(6000, 0, 11));
  p.heads = 2;
  p.groups = 1;
  CHECK_THROWS_WITH(load_model_layer(p, folder.file("m.safetensors"), 0), Contains("full-width"));
}

TEST_CASE("Qwen3-Next: q_proj holds query and gate of each head; the gate is computed from x") {
  const TemporaryFolder folder("next-weights");
  tensor::write_safetensors(folder.file("m.safetensors"), gqa_checkpoint(48, 6, 6));
  Problem p = tiny_gqa();
  p.output_gate = true;
  p.precision.storage = scalar::kFp64;
  const ModelLayer layer = load_model_layer(p, folder.file("m.safetensors"), 0);
  check_elements(layer.inputs, "w_q", [](Index, Index m, Index column) { return code(1000, column / 6 * 12 + column % 6, m); });
  for (Index query = 0; query < 2; ++query) {
    for (Index j = 0; j < 24; ++j) {
      double sum = 0;
      for (Index m = 0; m < kHidden; ++m) sum += layer.inputs.at("x").at((3 + query) * kHidden + m) * code(1000, j / 6 * 12 + 6 + j % 6, m);
      REQUIRE(layer.inputs.at("gate").at(query * 24 + j) == Approx(sum).epsilon(1e-12));
    }
  }
  p.output_gate = false;
  p.heads = 8;
  p.groups = 4;
  CHECK_THROWS_WITH(load_model_layer(p, folder.file("m.safetensors"), 0), Contains("k_proj") && Contains("2 heads"));
}

TEST_CASE("shards: the index names the file of each tensor, in its own folder only") {
  const TemporaryFolder folder("sharded-weights");
  TensorMap all = mla_checkpoint(4, true), first, second;
  std::string map;
  for (const auto& [name, tensor] : all) {
    (first.size() < 3 ? first : second).emplace(name, tensor);
    map += fmt::format("{}\"{}\":\"part-{}.safetensors\"", map.empty() ? "" : ",", name, second.empty() ? 1 : 2);
  }
  tensor::write_safetensors(folder.file("part-1.safetensors"), first);
  tensor::write_safetensors(folder.file("part-2.safetensors"), second);
  const auto write_index = [&](const std::string& text) { std::ofstream(folder.file("model.safetensors.index.json")) << text; };
  write_index("{\"metadata\":{},\"weight_map\":{" + map + "}}");
  check_mla(load_model_layer(tiny_mla(4), folder.path(), 3).inputs, 0);
  check_mla(load_model_layer(tiny_mla(4), folder.file("model.safetensors.index.json"), 3).inputs, 0);

  write_index("{\"weight_map\":{\"a\":\"../part-1.safetensors\"}}");
  CHECK_THROWS_WITH(load_model_layer(tiny_mla(4), folder.path(), 3), Contains("without a folder"));
  write_index("{\"weight_map\":[]}");
  CHECK_THROWS_WITH(load_model_layer(tiny_mla(4), folder.path(), 3), Contains("weight_map"));
  write_index("{");
  CHECK_THROWS_WITH(load_model_layer(tiny_mla(4), folder.path(), 3), Contains("weight_map"));
}

TEST_CASE("checkpoints that cannot be expressed are refused with the reason") {
  const TemporaryFolder folder("bad-weights");
  const std::string path = folder.file("m.safetensors"), at = "model.layers.3.self_attn.";
  const auto refused = [&](const std::function<void(TensorMap&)>& change, const Problem& p) {
    TensorMap file = mla_checkpoint(4, true);
    change(file);
    tensor::write_safetensors(path, file);
    try {
      load_model_layer(p, path, 3);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const Problem p = tiny_mla(4);
  CHECK(refused([](TensorMap&) {}, p) == "accepted");
  CHECK_THAT(refused([&](TensorMap& f) { f.emplace(at + "q_b_proj.bias", coded_vector(40, 0)); }, p), Contains("q_b_proj.bias"));
  CHECK_THAT(refused([&](TensorMap& f) { f.erase(at + "kv_b_proj.weight"); }, p), Contains("kv_b_proj.weight"));
  CHECK_THAT(refused([&](TensorMap& f) { f.insert_or_assign(at + "kv_b_proj.weight", coded(44, 13, 0)); }, p),
             Contains("[44,13]") && Contains("12"));
  CHECK_THAT(refused(
                 [&](TensorMap& f) {
                   f.insert_or_assign(at + "kv_b_proj.weight", AnyTensor(DType::i32, {44, 12}));
                 },
                 p),
             Contains("I32"));
  CHECK_THAT(refused([&](TensorMap& f) { f.insert_or_assign(at + "kv_a_layernorm.weight", coded_vector(11, 0)); }, p),
             Contains("[11]") && Contains("[12]"));
  Problem latent = p;
  latent.start = problem::Start::latent;
  CHECK_THAT(refused([](TensorMap&) {}, latent), Contains("start"));
  Problem grouped = p;
  grouped.groups = 2;
  CHECK_THAT(refused([](TensorMap&) {}, grouped), Contains("groups is 2"));
  CHECK_THROWS_WITH(load_model_layer(p, folder.file("nothing"), 3), Contains("nothing"));
}

TEST_CASE("a tensor in an unreadable dtype is named with its dtype") {
  const TemporaryFolder folder("f8-weights");
  std::string header = R"({"model.layers.0.self_attn.o_proj.weight":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]},)"
                       R"("model.layers.0.self_attn.kv_a_proj_with_mqa.weight":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[1,2]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size() & 255);
  bytes[1] = static_cast<char>(header.size() >> 8);
  std::ofstream(folder.file("m.safetensors"), std::ios::binary) << bytes << header << "ab";
  CHECK_THROWS_WITH(load_model_layer(tiny_mla(4), folder.file("m.safetensors"), 0), Contains("kv_a_proj_with_mqa") && Contains("F8_E4M3"));
}

}  // namespace
}  // namespace equinorm::inputs
