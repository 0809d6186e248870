#include "work/journal.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "scalar/error.hpp"
#include "work/checksum.hpp"

namespace equinorm::work {
namespace {

namespace files = std::filesystem;
using Catch::Matchers::Contains;

/// A folder of its own.
struct Folder {
  Folder() {
    char name[] = "/tmp/equinorm-journal-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { files::remove_all(path); }
  std::string path;
};

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void spill(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

Header header() { return {"1", "equinorm verify", "[]", "0", {"a", "b", "c", "d", "e"}}; }

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// A journal of units 0 to 2.
std::string make_journal(const std::string& folder) {
  Journal journal(folder, header(), {});
  journal.append(1, "second");
  journal.append(0, "first");
  journal.append(2, R"({"third": "with \"quotes\""})");
  return journal_path(folder, {});
}

TEST_CASE("FNV-1a's published values") {
  CHECK(checksum_text(checksum("")) == "cbf29ce484222325");
  CHECK(checksum_text(checksum("a")) == "af63dc4c8601ec8c");
  CHECK(checksum_text(checksum("foobar")) == "85944171f73967e8");
  CHECK(checksum("bar", checksum("foo")) == checksum("foobar"));
}

TEST_CASE("shards are parsed and cover every unit once") {
  CHECK(parse_shard("3/16") == Shard{3, 16});
  for (const char* bad :
       {"", "1", "/", "1/", "/2", "0/2", "3/2", "1/2/3", "1/2 ", " 1/2", "-1/2", "1/0", "a/b", "1/1000001", "99999999999999999999/2"})
    CHECK_THROWS_AS(parse_shard(bad), Error);
  for (std::size_t unit = 0; unit < 20; ++unit) {
    int holders = 0;
    for (std::size_t index = 1; index <= 7; ++index) holders += Shard{index, 7}.holds(unit) ? 1 : 0;
    CHECK(holders == 1);
  }
}

TEST_CASE("a journal gives back what was appended") {
  Folder folder;
  make_journal(folder.path);
  const Journal again(folder.path, header(), {});
  CHECK(again.results() == std::map<std::size_t, std::string>{{0, "first"}, {1, "second"}, {2, R"({"third": "with \"quotes\""})"}});
}

TEST_CASE("two processes cannot hold one journal") {
  Folder folder;
  const Journal first(folder.path, header(), {});
  CHECK_THAT(message_of([&] { Journal(folder.path, header(), {}); }), Contains("another process"));
}

TEST_CASE("a journal of another run is refused") {
  Folder folder;
  make_journal(folder.path);
  Header other = header();
  other.version = "2";
  CHECK_THAT(message_of([&] { Journal(folder.path, other, {}); }), Contains("version '1'") && Contains("'2'"));
  other = header(), other.command += " --seed 2";
  CHECK_THAT(message_of([&] { Journal(folder.path, other, {}); }), Contains("--seed 2"));
  other = header(), other.data = "1";
  CHECK_THAT(message_of([&] { Journal(folder.path, other, {}); }), Contains("a file has changed"));
  other = header(), other.units.pop_back();
  CHECK_THAT(message_of([&] { Journal(folder.path, other, {}); }), Contains("a file has changed"));
}

TEST_CASE("cut anywhere, a journal keeps its whole lines and goes on") {
  Folder folder;
  const std::string path = make_journal(folder.path), whole = slurp(path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    spill(path, whole.substr(0, length));
    const std::size_t lines =
        static_cast<std::size_t>(std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length), '\n'));
    {
      Journal journal(folder.path, header(), {});
      REQUIRE(journal.results().size() == (lines == 0 ? 0 : lines - 1));
      if (!journal.results().contains(0)) journal.append(0, "first");
      if (!journal.results().contains(1)) journal.append(1, "second");
      if (!journal.results().contains(2)) journal.append(2, R"({"third": "with \"quotes\""})");
    }
    REQUIRE(read_journal(path).results ==
            std::map<std::size_t, std::string>{{0, "first"}, {1, "second"}, {2, R"({"third": "with \"quotes\""})"}});
  }
}

TEST_CASE("any damaged byte is found, and its line named") {
  Folder folder;
  const std::string path = make_journal(folder.path), whole = slurp(path);
  std::size_t line = 1;
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {
    for (const int flip : {1, 2, 4, 8, 16, 32, 64, 128}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      spill(path, damaged);
      const std::string message = message_of([&] { read_journal(path); });
      INFO("byte " << at << ", bit " << flip << ": " << message);
      REQUIRE_THAT(message, Contains(path + ": line " + std::to_string(line) + " "));
    }
    if (whole[at] == '\n') ++line;
  }
}

TEST_CASE("lines that do not belong are refused") {
  Folder folder;
  const std::string path = make_journal(folder.path), whole = slurp(path);
  const auto with = [&](const std::string& text) {
    spill(path, whole + checksum_text(checksum(text)) + "\t" + text + "\n");
    return message_of([&] { read_journal(path); });
  };
  CHECK_THAT(with("a\tfirst"), Contains("line 5") && Contains("a second time"));
  CHECK_THAT(with("z\tlast"), Contains("line 5") && Contains("no unit"));
  CHECK_THAT(with("d"), Contains("line 5"));
  CHECK(with("d\tfourth").empty());
}

TEST_CASE("merge takes each unit exactly once") {
  Folder folder;
  const std::string a = folder.path + "/a", b = folder.path + "/b", c = folder.path + "/c";
  {
    Journal first(a, header(), {1, 2}), second(b, header(), {2, 2});
    first.append(0, "0"), first.append(4, "4"), first.append(2, "2");
    second.append(3, "3");
    CHECK_THAT(message_of([&] {
                 merge_journals({a, b});
               }),
               Contains("1 of 5") && Contains("'b'") && Contains("journal-2-of-2 is not complete"));
    CHECK_THAT(message_of([&] { merge_journals({a}); }), Contains("2 of 5") && Contains("no journal of shard 2/2"));
    second.append(1, "1");
  }
  CHECK(merge_journals({b, a}).results == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK_THAT(message_of([&] { merge_journals({a, b, a}); }), Contains("unit 'a'") && Contains("is in"));
  CHECK_THAT(message_of([&] { merge_journals({a, folder.path + "/none"}); }), Contains("none"));
  files::create_directory(c);
  CHECK_THAT(message_of([&] { merge_journals({c}); }), Contains("no journal in it"));
  Header other = header();
  other.version = "2";
  { Journal journal(c, other, {2, 2}); }
  CHECK_THAT(message_of([&] { merge_journals({a, c}); }), Contains("version"));
}

}  // namespace
}  // namespace equinorm::work
