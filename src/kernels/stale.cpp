#include "kernels/stale.hpp"

#include <algorithm>
#include <cstring>

namespace equinorm::kernels {
namespace {

std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

std::uint64_t bytes_into(std::uint64_t hash, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  for (std::size_t at = 0; at < size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min<std::size_t>(8, size - at));
    hash = mixed(hash, word);
  }
  return mixed(hash, size);
}

std::uint64_t tensor_into(std::uint64_t hash, const tensor::AnyTensor& tensor) {
  hash = mixed(hash, static_cast<std::uint64_t>(tensor.dtype()));
  hash = bytes_into(hash, tensor.shape().data(), tensor.shape().size() * sizeof(tensor::Index));
  return bytes_into(hash, tensor.bytes(), tensor.byte_size());
}

bool is_constant(const tensor::AnyTensor& tensor) {
  const std::size_t size = tensor::size_of(tensor.dtype());
  return tensor.byte_size() <= size || std::memcmp(tensor.bytes(), tensor.bytes() + size, tensor.byte_size() - size) == 0;
}

}  // namespace

std::uint64_t fingerprint(const tensor::TensorMap& tensors) {
  std::uint64_t hash = 0;
  for (const auto& [name, tensor] : tensors) hash = tensor_into(bytes_into(hash, name.data(), name.size()), tensor);
  return hash;
}

std::string StaleOutputs::note(const tensor::TensorMap& inputs, const tensor::TensorMap& outputs) {
  Call call{.inputs = fingerprint(inputs)};
  for (const auto& [name, tensor] : outputs) {
    if (!is_constant(tensor)) call.outputs[name] = tensor_into(0, tensor);
  }
  std::string found;
  for (const Call& earlier : calls_) {
    if (earlier.inputs == call.inputs) continue;
    for (const auto& [name, hash] : call.outputs) {
      const auto same = earlier.outputs.find(name);
      if (found.empty() && same != earlier.outputs.end() && same->second == hash) found = name;
    }
  }
  calls_.push_back(std::move(call));
  return found;
}

}  // namespace equinorm::kernels
