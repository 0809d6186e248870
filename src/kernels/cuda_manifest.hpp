// The manifest of a CUDA module (CUDA.md): a declaration and, under the key "cuda", how to launch its kernels.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/declaration.hpp"
#include "kernels/expression.hpp"
#include "kernels/kernel.h"
#include "scalar/decimal.hpp"

namespace equinorm::kernels {

/// One compiled form of the module: PTX text, cubin or fatbin.
struct ModuleFile {
  int target = 0;    ///< 80 for sm_80
  std::string path;  ///< absolute, or relative to the working folder
};

/// One kernel argument, in the order of the kernel's parameters.
struct ArgumentSpec {
  enum class Kind : std::uint8_t { data, block_table, workspace, int32, int64, float32, float64 };
  Kind kind = Kind::data;
  std::string tensor;        ///< data, block_table
  bool optional = false;     ///< a null pointer where the problem has no such tensor
  Expression value;          ///< offset in bytes (workspace), or the integer
  std::string scalar;        ///< a number by name: eps, scale, softcap, scale_log2e; empty: `number`
  scalar::Decimal number{};  ///< as written
};

struct LaunchSpec {
  std::string entry;
  std::optional<Expression> when;  ///< launched where this is not 0
  std::array<Expression, 3> grid{Expression(1), Expression(1), Expression(1)}, block{Expression(1), Expression(1), Expression(1)};
  Expression shared;  ///< dynamic shared memory, bytes
  std::vector<ArgumentSpec> arguments;
};

struct CudaManifest {
  std::string origin;  ///< path, for messages
  Declaration declaration;
  std::string declaration_json;  ///< without the key "cuda", device "cuda"
  std::vector<ModuleFile> modules;
  std::string source;                ///< a .cu file for NVRTC; empty: none
  std::vector<std::string> options;  ///< of NVRTC
  Expression workspace;              ///< bytes
  std::vector<LaunchSpec> launches;
};

/// Integer `name` of a problem ("batch", "splits", "rope_layout"): every integer field of equinorm_problem; "capped": 1 where it has a
/// soft-cap, else 0; "key_statistics": columns of alpha_k, G or 1 (full width). Nothing for other names.
std::optional<std::int64_t> problem_integer(const equinorm_problem& problem, std::string_view name);
/// Properties of a tensor that expressions may use: TENSOR.PROPERTY.
inline constexpr std::array<std::string_view, 14> kTensorProperties{"shape0",    "shape1",      "shape2",  "shape3",        "shape4",
                                                                    "stride0",   "stride1",     "stride2", "stride3",       "stride4",
                                                                    "page_size", "page_stride", "pages",   "blocks_per_row"};

/// Reads and checks a manifest. Throws Error, one line: what is wrong with the file, the declaration, a key, an expression.
CudaManifest load_manifest(const std::string& path);
/// The same from text; files are relative to `folder`.
CudaManifest parse_manifest(std::string_view json, const std::string& origin, const std::string& folder);

/// Whether a file is a manifest of a CUDA module: a JSON object with the key "cuda".
bool is_manifest(const std::string& path);

}  // namespace equinorm::kernels
