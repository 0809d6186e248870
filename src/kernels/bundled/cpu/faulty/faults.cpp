#include "kernels/bundled/cpu/faulty/faults.hpp"

#include <dlfcn.h>

#include "kernels/kernel.hpp"

namespace equinorm::kernels::cpu::faulty {
namespace {

Identity read_identity() {
  static const char anchor = 0;
  Dl_info info{};
  std::string path = dladdr(&anchor, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
  path = path.substr(path.rfind('/') + 1);
  const auto part = [&path] {  // takes the last part off
    const std::size_t dot = path.rfind('.');
    std::string last = dot == std::string::npos ? "" : path.substr(dot + 1);
    path = path.substr(0, dot);
    return last;
  };
  part();  // so
  Identity identity;
  identity.storage = part(), identity.id = part();
  // Ids hold dots ("output-times-1.003"): everything after the prefix.
  const std::size_t dot = path.find('.');
  if (dot != std::string::npos) identity.id = path.substr(dot + 1) + "." + identity.id;
  return identity;
}

std::string tensors_of(const std::string& storage) {
  std::string text;
  for (const char* name : {"alpha_k", "alpha_q", "q_tilde", "q_rope_hat", "logits", "p", "lse", "u", "o_gated", "y"})
    text += std::string("\"") + name + "\": {\"dtype\": \"fp32\"}, ";
  return text + "\"k_rope_cached\": {\"dtype\": \"" + storage + "\"}, \"o\": {\"dtype\": \"" + storage + "\"}";
}

/// The faults of an online softmax need tiles, those of a join splits; the others get by with the plain arithmetic and its narrower bound.
std::string arithmetic() {
  if (has("tile-rescale-missing")) return ", \"tile\": 64";
  if (has("split-average-unweighted") || has("empty-split")) return ", \"splits\": 4";
  return "";
}

}  // namespace

const Identity& identity() {
  static const Identity found = read_identity();
  return found;
}

float to_bf16(float x) { return bf16_to_float(float_to_bf16(x)); }
float to_fp16(float x) { return fp16_to_float(float_to_fp16(x)); }

const char* describe() {
  static const std::string text = [] {
    const auto& [id, storage] = identity();
    std::string inputs;
    if (has("page-index-32bit")) inputs = R"("c": {"layout": "paged", "page_size": 64})";
    return R"({"equinorm": 1, "name": "fault )" + id + "\", \"path\": \"absorbed\"," +
           R"("stages": ["cache_write", "query", "score", "softmax", "value", "output"], "inputs": {)" + inputs + "}, \"outputs\": {" +
           tensors_of(storage) + R"(}, "precision": {"storage": ")" + storage + "\"" + arithmetic() + "}, " +
           R"("claims": ["bit-reproducible"], "requires": {"attention": ["mla"], "start": ["latent"]}})";
  }();
  return text.c_str();
}

}  // namespace equinorm::kernels::cpu::faulty
