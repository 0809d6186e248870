// Which entry of `precision` speaks of an output.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "problem/precision.hpp"

namespace equinorm::problem {

/// The format entry of an output that is stored between stages, or at the end; none for what has no format of its own (lse, alpha_q, y,
/// ...).
inline std::optional<Stored> stored_of(const std::string& output) {
  static const std::pair<const char*, Stored> table[] = {{"alpha_k", Stored::alpha},
                                                         {"q_tilde", Stored::q_tilde},
                                                         {"k_hat", Stored::k_hat},
                                                         {"k_rope_cached", Stored::k_hat},
                                                         {"k_deferred", Stored::k_hat},
                                                         {"q_hat", Stored::q_hat},
                                                         {"q_rope_hat", Stored::q_hat},
                                                         {"logits", Stored::logits},
                                                         {"p", Stored::p},
                                                         {"u", Stored::u},
                                                         {"o", Stored::o}};
  for (const auto& [name, stored] : table) {
    if (output == name) return stored;
  }
  return std::nullopt;
}

}  // namespace equinorm::problem
