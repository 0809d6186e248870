// What a process answers to a run, or why there is no answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/dialogue.hpp"
#include "kernels/runner.hpp"

namespace equinorm::kernels {

struct Answer {
  RunStatus status = RunStatus::protocol;
  std::string detail{};   ///< one line
  std::string changed{};  ///< inputs that it says were changed
  double seconds = 0;     ///< that it says the kernel took, at most the time that passed
};

/// What became of a run in which no answer came.
Answer without_answer(const Dialogue::Heard& heard, Dialogue& dialogue, const Limits& limits);

/// Reads an answer; anything that PROCESS.md does not know is RunStatus::protocol. `id`: of the request, where it must be repeated.
Answer read_answer(const problem::JsonValue& value, std::optional<std::uint64_t> id, double wall);

}  // namespace equinorm::kernels
