#include "problem/json.hpp"

#include <filesystem>
#include <fstream>

#include "support.hpp"

namespace equinorm::problem {
namespace {

using Catch::Contains;

std::string syntax_error(const std::string& text) {
  return error_of([&] { (void)parse_json(text, "f"); });
}

TEST_CASE("json: numbers keep their text") {
  const JsonValue root =
      parse_json(R"({"a": 1e-6, "b": 1.250, "c": 10000.0, "d": 123456789012345678901234567890, "e": -7, "f": 1E+2})", "f");
  CHECK(root.find("a")->text == "1e-6");
  CHECK(root.find("b")->text == "1.250");
  CHECK(root.find("c")->text == "10000.0");
  CHECK(root.find("d")->text == "123456789012345678901234567890");
  CHECK(root.find("e")->text == "-7");
  CHECK(root.find("f")->text == "1E+2");
  CHECK(root.find("missing") == nullptr);
}

TEST_CASE("json: structure, set and erase") {
  JsonValue root = parse_json(R"({"a": [1, [], {"x": null}], "b": "\u00e9\n", "c": true})", "f");
  REQUIRE(root.items.size() == 3);
  CHECK(root.find("a")->items.size() == 3);
  CHECK(root.find("a")->items[2].find("x")->is(JsonValue::Kind::null));
  CHECK(root.find("b")->text == "\xc3\xa9\n");
  CHECK(root.find("c")->boolean);
  root.erase("b");
  root.erase("nothing");
  root.set("a", JsonValue::string("new"));
  root.set("d", JsonValue::string("last"));
  CHECK(root.keys == std::vector<std::string>{"a", "c", "d"});
  CHECK(root.find("a")->text == "new");
  CHECK(root.find("d")->text == "last");
}

TEST_CASE("json: what is refused, and how it is said") {
  CHECK_THAT(syntax_error(R"({"a": 1, "a": 2})"), Contains("f: key \"a\" appears twice"));
  CHECK_THAT(syntax_error(R"({"o": {"k": 1, "k": 1}})"), Contains("key \"k\" appears twice"));
  CHECK(syntax_error(R"({"o": {"k": 1}, "k": 1})").empty());
  CHECK_THAT(syntax_error("{\n  \"a\": ,}"), Contains("f: parse error at line 2, column 8"));
  CHECK_THAT(syntax_error(""), Contains("f: parse error"));
  CHECK_THAT(syntax_error("{} {}"), Contains("parse error"));
  CHECK_THAT(syntax_error("{\"a\": \"\xff\"}"), Contains("UTF-8"));
  CHECK_THAT(syntax_error("\"\xed\xa0\x80\""), Contains("UTF-8"));
  CHECK_THAT(syntax_error("{\"a\": 1e999}"), Contains("f: number overflow"));
  CHECK_THAT(syntax_error(std::string(kMaxJsonDepth + 1, '[')), Contains("nested deeper than 32 levels"));
  CHECK(syntax_error(std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']')).empty());
  CHECK_THAT(syntax_error(std::string(100000, '[')), Contains("nested deeper"));
  CHECK_THAT(syntax_error('"' + std::string(kMaxJsonBytes, 'x') + '"'), Contains("allowed: at most 1048576"));
}

TEST_CASE("json: error texts are short and printable") {
  CHECK(shown("ab\n\x01\xff") == "\"ab???\"");
  CHECK(shown(std::string(100, 'a')) == '"' + std::string(60, 'a') + "...\"");
  CHECK(json_string("a\"b\\\n") == R"("a\"b\\\n")");
  CHECK(describe(parse_json("[1]", "")) == "a list");
  CHECK(describe(parse_json("{}", "")) == "an object");
  CHECK(describe(parse_json("null", "")) == "null");
  CHECK(describe(parse_json("1.50", "")) == "1.50");
}

TEST_CASE("json: files") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  CHECK_THAT(error_of([&] { (void)read_small_file((folder / "equinorm-no-such-file").string()); }), Contains("cannot be opened"));
  CHECK_THAT(error_of([&] { (void)read_small_file(folder.string()); }), Contains("is a directory"));
  const std::string path = (folder / "equinorm-json-test.json").string();
  std::ofstream(path) << std::string(kMaxJsonBytes, ' ');
  CHECK(read_small_file(path).size() == kMaxJsonBytes);
  std::ofstream(path, std::ios::app) << ' ';
  CHECK_THAT(error_of([&] { (void)read_small_file(path); }), Contains("is larger than 1048576 bytes"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace equinorm::problem
