// Which fault this copy of the library has: the file's name says so.
#pragma once

#include <string>
#include <string_view>

namespace equinorm::kernels::cpu::faulty {

/// The parts of the name PREFIX.ID.STORAGE.so under which the library was loaded.
struct Identity {
  std::string id;       ///< of the catalogue; "none" for the right kernel
  std::string storage;  ///< fp16, bf16, fp32
};
const Identity& identity();

/// Whether this copy has the fault `id` of the catalogue.
inline bool has(std::string_view id) { return identity().id == id; }

/// The float rounded to bf16 or fp16.
float to_bf16(float x);
float to_fp16(float x);

/// The declaration: what the right kernel would say, whatever the fault.
const char* describe();

}  // namespace equinorm::kernels::cpu::faulty
