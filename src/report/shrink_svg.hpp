// Smaller SVG of the same picture.
#pragma once

#include <string>

namespace equinorm::report {

/// gnuplot's SVG without what draws nothing: groups without content, attributes that repeat a default or the root's font (which is stated
/// once, there), indentation, and every second decimal of a coordinate (pixels). Text between tags is left alone.
std::string shrink_svg(const std::string& svg);

}  // namespace equinorm::report
