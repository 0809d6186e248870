// A smaller SVG draws the same.
#include "report/shrink_svg.hpp"

#include <catch2/catch.hpp>

namespace equinorm::report {
namespace {

const std::string kFont = "font-family=\"Helvetica Neue,Arial,sans-serif\"";

TEST_CASE("what draws nothing goes, what draws something stays") {
  CHECK(shrink_svg("<g fill=\"none\">\n</g>\n<g id=\"a\"><g stroke=\"red\">\n\t</g>\n</g><path d='M1,2'/>") == "<path d='M1,2'/>");
  CHECK(shrink_svg("<g fill=\"none\" stroke-linecap=\"butt\">\n\t<path d='M67.50,193.58 L436.49,193.07 '/>\n</g>") ==
        "<g fill=\"none\">\n<path d='M67.5,193.5 L436.4,193 '/>\n</g>");
  CHECK(shrink_svg("<g a=\"1\"/><g b=\"2\">\n</g>") == "<g a=\"1\"/>");
}

TEST_CASE("text between tags is left alone, its font stated once") {
  CHECK(shrink_svg("<text><tspan " + kFont + " > bound 1.25 ulp</tspan></text>") == "<text><tspan > bound 1.25 ulp</tspan></text>");
  CHECK(shrink_svg("<svg viewBox=\"0 0 9 9\">") == "<svg " + kFont + " font-size=\"13\" viewBox=\"0 0 9 9\">");
  CHECK(shrink_svg("<g " + kFont + " font-size=\"16.00\">x</g>") == "<g font-size=\"16\">x</g>");
  CHECK(shrink_svg("<circle r='0.205'/><use x='2.00'/>") == "<circle r='0.205'/><use x='2'/>");
}

}  // namespace
}  // namespace equinorm::report
