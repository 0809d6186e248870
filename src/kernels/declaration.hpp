// What a kernel says of itself (DECLARATION.md): stages, tensors and their layouts, arithmetic, conventions, claims.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/stages.hpp"
#include "problem/json.hpp"
#include "problem/precision.hpp"
#include "tensor/any_tensor.hpp"

namespace equinorm::kernels {

enum class LayoutKind : std::uint8_t { contiguous, strided, paged };
enum class AlphaQ : std::uint8_t { any, query, score };
enum class DeviceKind : std::uint8_t { host, cuda };

/// How a kernel wants a tensor, or writes it.
struct TensorDeclaration {
  std::optional<scalar::Format> dtype;  ///< none: the default of its kind
  LayoutKind layout = LayoutKind::contiguous;
  Index page_size = 0;     ///< paged only
  Index largest_pool = 0;  ///< paged only: elements that the kernel can address, 0: any number
};

/// One condition on a problem: its dotted key must have one of `allowed` values, or lie in a range.
struct Requirement {
  std::string key;
  std::vector<std::string> allowed;  ///< as the problem file writes them; empty: the range
  std::optional<Index> min, max, multiple_of;
};

struct Declaration {
  std::string name;
  PathKind form = PathKind::absorbed_form;
  StageRun stages;
  std::map<std::string, TensorDeclaration> inputs, outputs;
  problem::Precision precision;
  AlphaQ alpha_q = AlphaQ::any;
  bool lse_base_two = false;
  double empty_row_lse = 0;  ///< set by the parser: -inf
  bool empty_row_is_zero = true;
  bool bit_reproducible = false, batch_invariant = false, split_invariant = false;
  std::vector<Requirement> requirements;
  DeviceKind device = DeviceKind::host;
};

/// Reads a declaration; `origin` names the kernel in messages. A dtype narrower than what `precision` says of a stored tensor is taken as a
/// declared rounding. Keys in `ignored` are somebody else's (the "cuda" part of a manifest). Throws Error, one line: bad JSON, unknown
/// keys, stages out of order, tensors that no stage reads or writes, ...
Declaration parse_declaration(std::string_view json, const std::string& origin, const std::vector<std::string>& ignored = {});
Declaration parse_declaration(const problem::JsonValue& root, const std::string& origin, const std::vector<std::string>& ignored = {});

/// Names of all tensors that the declared stages may read, in one problem or another.
std::set<std::string> readable_tensors(const Declaration& declaration);

/// Why the kernel does not serve the problem ("needs norm.scheme blockwise, none; this is unified"); empty: it does.
std::string unsupported(const Declaration& declaration, const Problem& problem);

/// The problem with the kernel's arithmetic in place of its own.
Problem with_declared_precision(const Declaration& declaration, Problem problem);

/// A tensor as it goes to or comes from the kernel.
struct Passed {
  problem::TensorSpec spec;
  tensor::DType dtype = tensor::DType::f32;
  LayoutKind layout = LayoutKind::contiguous;
  Index page_size = 0, largest_pool = 0;
  bool handed_over = false;  ///< an output of an earlier stage, computed by the judge

  friend bool operator==(const Passed& a, const Passed& b) {
    return a.spec.name == b.spec.name && a.spec.shape == b.spec.shape && a.spec.role == b.spec.role && a.dtype == b.dtype &&
           a.layout == b.layout && a.page_size == b.page_size && a.largest_pool == b.largest_pool && a.handed_over == b.handed_over;
  }
};

/// What a run passes: every tensor that the stages read (then context_lengths [B] int32), and the declared outputs. Throws Error where the
/// declaration does not fit the problem: a dtype narrower than the problem's storage, a page layout on a tensor without tokens, ...
/// `table_rows` as tensors_of.
struct PassedTensors {
  std::vector<Passed> inputs, outputs;
};
PassedTensors passed_tensors(const Declaration& declaration, const Problem& problem, Index table_rows = 0);

}  // namespace equinorm::kernels
