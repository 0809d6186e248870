// Three-valued outcome of a mathematical question.
#pragma once

namespace equinorm {

/// `unknown` is an answer of its own: it must never be read as yes or as no.
enum class Truth { no, yes, unknown };

}  // namespace equinorm
