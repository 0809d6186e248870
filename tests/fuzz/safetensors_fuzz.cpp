// Safetensors images from arbitrary bytes: either tensors that lie inside the image and can all be read, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "scalar/error.hpp"
#include "tensor/safetensors.hpp"

namespace {

/// Reads every element, so that the sanitiser sees any extent outside the image.
void read_all(const equinorm::tensor::AnyTensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  tensor.read(0, tensor.size(), values.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> image(data, data + size);  // an allocation of its own, without slack behind it
  const auto* begin = reinterpret_cast<const std::byte*>(image.data());
  try {
    const equinorm::tensor::SafetensorsFile file = equinorm::tensor::parse_safetensors(begin, size, nullptr, "fuzz");
    std::size_t bytes = 0;
    for (const auto& [name, tensor] : file.tensors) {
      read_all(tensor);
      bytes += tensor.byte_size();
    }
    if (bytes > size) std::abort();
  } catch (const equinorm::Error&) {
  }
  return 0;
}
