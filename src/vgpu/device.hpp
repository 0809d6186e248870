// A virtual GPU: memory, modules and launches. Everything is deterministic: output bits depend on the inputs and options alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vgpu/memory.hpp"
#include "vgpu/module.hpp"

namespace equinorm::vgpu {

/// What a launch may find. Each is reported once for every instruction, with the first thread that met it and how often it happened.
enum class FindingKind : std::uint8_t {
  out_of_bounds,
  misaligned,
  uninitialised,
  race,
  divergent_barrier,
  divergent_warp,
  deadlock,
  trap,
  limit,
  bad_address,
  not_a_number,
  grid_race
};
const char* to_string(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::out_of_bounds;
  std::string kernel;
  std::string opcode;
  std::string place;       ///< CUDA source, "file:line inlined at file:line"; empty without -lineinfo
  std::uint32_t line = 0;  ///< of the PTX
  std::array<std::uint32_t, 3> block{}, thread{};
  Space space = Space::generic;
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
  std::uint64_t count = 0;  ///< lanes that met it
  std::string detail;
};
/// One line: what, where, who.
std::string to_string(const Finding& finding);

enum class Order : std::uint8_t { canonical, reversed, seeded };
enum class CopySchedule : std::uint8_t {
  eager,        ///< cp.async copies at once
  latest_legal  ///< it copies when a wait asks for it; until then the destination counts as unwritten
};
enum class Approximation : std::uint8_t {
  correctly_rounded,  ///< ex2.approx and its like give the correctly rounded result
  perturbed           ///< a seeded neighbour inside the row's bound
};

enum class Contraction : std::uint8_t {
  separate,  ///< mul and add without .rn round one after the other
  fused      ///< an add or sub takes in a product of its basic block, as ptxas may make it
};

struct Options {
  Order order = Order::canonical;  ///< of blocks in the grid and of warps in a block
  CopySchedule copies = CopySchedule::latest_legal;
  Approximation approximation = Approximation::correctly_rounded;
  Contraction contraction = Contraction::separate;
  std::uint64_t seed = 1;
  bool races = true;        ///< look for races in shared memory
  bool grid_races = false;  ///< look for races of blocks in global memory, too (several times slower)
  bool shadows = false;     ///< carry values without rounding beside the values (shadow.hpp)
  bool find_nan = false;    ///< with shadows: report every instruction that makes a NaN or an infinity from finite numbers
  std::uint64_t instruction_limit = std::uint64_t{1} << 36;  ///< warp instructions of one launch
  double seconds_limit = 600;
  int target = 0;  ///< tensor cores of sm_TARGET; 0: of the module's target
};

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

/// Rounding error by source line (with shadows).
struct LineError {
  std::string place;
  std::uint64_t operations = 0;
  double largest_ulp = 0;  ///< largest error of one operation, in ulps of its result
  double sum = 0;          ///< of the absolute errors of the operations
};

struct ShadowReport {
  std::uint64_t operations = 0;        ///< floating-point results with a shadow
  std::uint64_t restarts = 0;          ///< operands whose shadow was lost, so that it began again at the value
  std::vector<std::string> constants;  ///< rounded irrational constants of the kernel that were taken as exact
  std::vector<LineError> lines;        ///< by sum, largest first
};

struct LaunchReport {
  bool finished = false;  ///< every thread left; false after a trap, a deadlock or a limit
  std::vector<Finding> findings;
  std::uint64_t warp_instructions = 0;
  std::uint64_t lane_instructions = 0;
  double seconds = 0;
  std::size_t contractible = 0;  ///< instructions of the kernel that Contraction::fused changes
  std::string arithmetic;        ///< what was assumed where PTX leaves a choice: contraction, approximate functions, tensor cores
  ShadowReport shadow;

  bool has(FindingKind kind) const;
};

/// One launch under both contractions.
struct ContractionReport {
  LaunchReport separate, fused;
  bool differs = false;             ///< some byte of global memory
  std::uint64_t bytes = 0;          ///< how many
  std::uint64_t first_address = 0;  ///< the first of them
};

/// The value of one number with rounding removed, as a pair: high + low.
struct ShadowValue {
  double high = 0, low = 0;
  bool known = false;  ///< false: the memory holds no shadow; high is the stored value
};

class ShadowMemory;

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

  /// Says of the number at an address, as it stands there now, that its value without rounding is high + low.
  void set_shadow(std::uint64_t address, Type type, double high, double low);
  /// The shadow of the binary32, binary64, fp16 or bf16 number at an address of global memory, left by launches with Options::shadows.
  ShadowValue shadow(std::uint64_t address, Type type) const;

 private:
  std::uint64_t load_variable(const Module& module, const Variable& variable);

  GlobalMemory memory_;
  std::map<const Variable*, std::uint64_t> variables_;
  std::unique_ptr<ShadowMemory> shadow_memory_;
};

}  // namespace equinorm::vgpu
