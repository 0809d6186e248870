// A virtual GPU: memory, modules and launches. Everything is deterministic: output bits depend on the inputs and options alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vgpu/memory.hpp"
#include "vgpu/module.hpp"
#include "vgpu/options.hpp"
#include "vgpu/report.hpp"

namespace equinorm::vgpu {

struct Grid {
  std::array<std::uint32_t, 3> blocks{1, 1, 1}, threads{1, 1, 1};
  std::uint32_t dynamic_shared = 0;  ///< bytes
};

/// A kernel argument: its bytes, and for a floating-point number the value that it stands for where the bytes are a rounding of it.
struct Argument {
  std::vector<std::byte> bytes;
  bool has_shadow = false;
  double shadow_high = 0, shadow_low = 0;

  static Argument pointer(std::uint64_t address) { return of(address); }
  template <class T>
  static Argument of(const T& value) {
    Argument argument;
    const auto raw = std::as_bytes(std::span(&value, 1));
    argument.bytes.assign(raw.begin(), raw.end());
    return argument;
  }
  /// A float whose exact value is high + low.
  static Argument exact(float value, double high, double low);
};

/// The value of one number with rounding removed: high + low + the sum of rest, within radius.
struct ShadowValue {
  double high = 0, low = 0;
  bool known = false;        ///< false: the memory holds no shadow; high is the stored value
  double radius = 0;         ///< of the kinds ball and arbitrary, infinite where nothing is known; the other kinds say 0 and know no radius
  std::vector<double> rest;  ///< what two doubles cannot hold (ball, arbitrary), falling
};

struct ShadowStore;

class Device {
 public:
  Device();
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Memory as GlobalMemory's. See there for errors.
  std::uint64_t allocate(std::uint64_t bytes) { return memory_.allocate(bytes); }
  void free(std::uint64_t address) { memory_.free(address); }
  void write(std::uint64_t address, std::span<const std::byte> bytes);
  void read(std::uint64_t address, std::span<std::byte> bytes) const { memory_.read(address, bytes); }
  std::uint64_t count_unwritten(std::uint64_t address, std::uint64_t bytes) const { return memory_.count_unwritten(address, bytes); }
  template <class T>
  std::uint64_t upload(std::span<const T> values) {
    const std::uint64_t address = allocate(values.size_bytes());
    write(address, std::as_bytes(values));
    return address;
  }
  template <class T>
  std::vector<T> download(std::uint64_t address, std::size_t count) const {
    std::vector<T> values(count);
    read(address, std::as_writable_bytes(std::span(values)));
    return values;
  }

  /// Runs kernel `name` of `module`; the first launch of a module allocates its variables, which live as long as the Device, as must the
  /// module. Findings never throw. Throws Error before anything runs: unknown kernel, opcode (with line), malformed operands, wrong number
  /// or size of arguments, impossible grid.
  LaunchReport launch(const Module& module, std::string_view name, const Grid& grid, std::span<const Argument> arguments,
                      const Options& options = {});

  /// The same launch twice from the same memory, with products fused into sums and not; memory is left as by the latter. Shadows, if asked
  /// for, are those of the latter.
  ContractionReport launch_both(const Module& module, std::string_view name, const Grid& grid, std::span<const Argument> arguments,
                                const Options& options = {});

  /// Says of the number at an address, as it stands there now, that its value without rounding is high + low. A launch with shadows of
  /// another kind than the last converts the shadows in memory, to origins and from them by forgetting.
  void set_shadow(std::uint64_t address, Type type, double high, double low);
  /// Where the NaN or infinity at an address was made, after launches with ShadowKind::origins; none if that is not known.
  std::optional<Origin> origin(std::uint64_t address, Type type) const;
  /// The shadow of the binary32, binary64, fp16 or bf16 number at an address of global memory, left by launches with Options::shadows.
  ShadowValue shadow(std::uint64_t address, Type type) const;

 private:
  std::uint64_t load_variable(const Module& module, const Variable& variable);

  GlobalMemory memory_;
  std::map<const Variable*, std::uint64_t> variables_;
  std::unique_ptr<ShadowStore> shadows_;
};

}  // namespace equinorm::vgpu
