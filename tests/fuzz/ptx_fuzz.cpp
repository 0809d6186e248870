// PTX from arbitrary bytes: read, and its coverage told, or an Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "scalar/error.hpp"
#include "vgpu/opcodes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const equinorm::vgpu::Module module = equinorm::vgpu::parse_module(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
    equinorm::vgpu::coverage(module);
    for (int place = -1; place < static_cast<int>(module.places.size()); ++place) module.describe_place(place);
  } catch (const equinorm::Error&) {
  }
  return 0;
}
