#include "kernels/runner.hpp"

namespace equinorm::kernels {

std::string_view to_string(RunStatus status) {
  switch (status) {
    case RunStatus::ok:
      return "ok";
    case RunStatus::unsupported:
      return "unsupported";
    case RunStatus::failed:
      return "failed";
    case RunStatus::crashed:
      return "crashed";
    case RunStatus::timed_out:
      return "timed out";
    case RunStatus::out_of_memory:
      return "out of memory";
    case RunStatus::protocol:
      return "protocol";
    case RunStatus::wrong_shape:
      return "wrong shape";
    case RunStatus::wrote_out_of_bounds:
      return "wrote out of bounds";
    case RunStatus::changed_input:
      return "changed input";
    case RunStatus::unwritten:
      return "unwritten";
  }
  return "?";
}

}  // namespace equinorm::kernels
