// A reader with a fault that only a guided search with AddressSanitizer sees: shows that the fuzz tests can fail.
#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> bytes(data, data + size);
  if (bytes.size() < 4 || bytes[0] != 'Q' || bytes[1] != 'K') return 0;
  // The fault: the length byte is trusted, so the read may run past the end of the heap block.
  const volatile std::uint8_t last = bytes.data()[bytes[2]];
  return last == 0 ? 0 : -1;
}
