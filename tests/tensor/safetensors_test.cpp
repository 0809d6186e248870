#include "tensor/safetensors.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tensor/safetensors_writer.hpp"

namespace equinorm::tensor {
namespace {

using Catch::Matchers::Contains;

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / fmt::format("equinorm-safetensors-{}", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

/// Little-endian length, header, then `data_bytes` bytes 1, 2, 3, ...
std::string image(const std::string& header, std::size_t data_bytes) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
  bytes += header;
  for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(i + 1);
  return bytes;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":{}}})", dtype, shape, offsets);
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

SafetensorsFile parse(const std::string& bytes) {
  const auto kept = std::make_shared<const std::string>(bytes);
  return parse_safetensors(reinterpret_cast<const std::byte*>(kept->data()), kept->size(), kept, "memory");
}

struct Broken {
  std::string what;
  std::string bytes;
  std::vector<std::string> message;
};

std::vector<Broken> broken_files() {
  const std::string good = entry("F32", "[2]", "[0,8]");
  const std::string valid = image("{\"a\":" + good + "}", 8);
  std::string huge = valid;
  huge[5] = 1;  // header length + 2^40
  std::string longer = valid;
  longer[1] = 1;  // header length + 256
  return {
      {"empty", "", {"0 bytes"}},
      {"seven bytes", "1234567", {"7 bytes"}},
      {"absurd header length", huge, {"header length", "100000000"}},
      {"header longer than the file", longer, {"header length", "bytes follow"}},
      {"truncated", valid.substr(0, valid.size() - 1), {"\"a\"", "[0,8]", "only 7 bytes"}},
      {"not JSON", image("{'a':1}", 0), {"not JSON"}},
      {"cut JSON", image("{\"a\":{", 0), {"not JSON"}},
      {"text behind the JSON", image("{} x", 0), {"not JSON"}},
      {"invalid UTF-8", image("{\"\xff\":1}", 0), {"not JSON"}},
      {"an array", image("[]", 0), {"an array", "must be a JSON object"}},
      {"a number", image("17", 0), {"17", "must be a JSON object"}},
      {"a string entry", image(R"({"a":"F32"})", 0), {"\"a\"", "must be a JSON object"}},
      {"a nested array as header", image("[[]]", 0), {"must be a JSON object"}},
      {"missing dtype", image(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8), {"\"a\"", "dtype is missing"}},
      {"missing shape", image(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8), {"\"a\"", "shape is missing"}},
      {"missing offsets", image(R"({"a":{"dtype":"F32","shape":[2]}})", 8), {"\"a\"", "data_offsets is missing"}},
      {"unknown field",
       image(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":1}})", 8),
       {"\"a\"", "unknown field \"stride\""}},
      {"repeated field",
       image(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
       {"\"a\"", "\"dtype\" occurs twice"}},
      {"duplicate name", image("{\"a\":" + good + ",\"a\":" + good + "}", 8), {"\"a\" occurs twice"}},
      {"unknown dtype", image("{\"a\":" + entry("F33", "[2]", "[0,8]") + "}", 8), {"\"a\"", "\"F33\"", "BF16"}},
      {"dtype is a number", image(R"({"a":{"dtype":5,"shape":[2],"data_offsets":[0,8]}})", 8), {"\"a\"", "dtype", "5", "a string"}},
      {"negative dimension", image("{\"a\":" + entry("F32", "[-2]", "[0,8]") + "}", 8), {"\"a\"", "-2", "at least 0"}},
      {"fractional dimension", image("{\"a\":" + entry("F32", "[2.0]", "[0,8]") + "}", 8), {"\"a\"", "2.0", "integers"}},
      {"dimension above 2^64", image("{\"a\":" + entry("F32", "[18446744073709551617]", "[0,8]") + "}", 8), {"\"a\"", "integers"}},
      {"overflowing shape", image("{\"a\":" + entry("F32", "[4294967296,4294967296]", "[0,0]") + "}", 0), {"\"a\"", "overflows"}},
      {"overflow hidden by a zero", image("{\"a\":" + entry("F32", "[4611686018427387904,8,0]", "[0,0]") + "}", 0), {"\"a\"", "overflows"}},
      {"dimension above 2^63", image("{\"a\":" + entry("F32", "[9223372036854775808]", "[0,0]") + "}", 0), {"\"a\"", "overflows"}},
      {"nested shape", image("{\"a\":" + entry("F32", "[[2]]", "[0,8]") + "}", 8), {"\"a\"", "an array"}},
      {"one offset", image("{\"a\":" + entry("F32", "[2]", "[0]") + "}", 8), {"\"a\"", "1 numbers"}},
      {"three offsets", image("{\"a\":" + entry("F32", "[2]", "[0,8,9]") + "}", 8), {"\"a\"", "9"}},
      {"negative offset", image("{\"a\":" + entry("F32", "[2]", "[-8,0]") + "}", 8), {"\"a\"", "-8"}},
      {"begin after end", image("{\"a\":" + entry("F32", "[2]", "[8,0]") + "}", 8), {"\"a\"", "[8,0]", "begin must not exceed end"}},
      {"end outside", image("{\"a\":" + entry("F32", "[3]", "[0,12]") + "}", 8), {"\"a\"", "[0,12]", "only 8 bytes"}},
      {"wrong length", image("{\"a\":" + entry("F32", "[3]", "[0,8]") + "}", 8), {"\"a\"", "8 bytes", "[3]", "F32"}},
      {"overlap", image("{\"a\":" + good + ",\"b\":" + entry("F32", "[2]", "[4,12]") + "}", 12), {"\"b\"", "[4,12]", "overlap"}},
      {"hole", image("{\"a\":" + good + ",\"b\":" + entry("F32", "[1]", "[12,16]") + "}", 16), {"\"b\"", "[12,16]", "hole"}},
      {"hole at the start", image("{\"a\":" + entry("F32", "[1]", "[4,8]") + "}", 8), {"\"a\"", "hole"}},
      {"trailing bytes", image("{\"a\":" + good + "}", 11), {"3 bytes after the last tensor"}},
      {"metadata not strings", image(R"({"__metadata__":{"n":1}})", 0), {"__metadata__", "\"n\"", "strings"}},
      {"metadata repeated", image(R"({"__metadata__":{"n":"1","n":"2"}})", 0), {"__metadata__", "\"n\" occurs twice"}},
      {"skipped dtype of wrong length", image("{\"a\":" + entry("F8_E4M3", "[9]", "[0,8]") + "}", 8), {"\"a\"", "F8_E4M3"}},
      {"control character in a name", image("{\"a\\nb\":" + entry("F32", "[3]", "[0,8]") + "}", 8), {"\"a\\x0ab\""}},
  };
}

TEST_CASE("every kind of broken file is refused in one line that names file, tensor and value") {
  const TemporaryFolder folder;
  for (const Broken& broken : broken_files()) {
    CAPTURE(broken.what);
    const std::string path = folder.file("broken.safetensors");
    write_file(path, broken.bytes);
    std::string message;
    try {
      read_safetensors(path);
    } catch (const Error& error) {
      message = error.what();
    }
    CAPTURE(message);
    REQUIRE_THAT(message, Contains(path));
    REQUIRE(message.find('\n') == std::string::npos);
    for (const std::string& part : broken.message) REQUIRE_THAT(message, Contains(part));
  }
}

TEST_CASE("good files are read: every dtype, scalars, empty tensors, padding, metadata, skipped dtypes") {
  const std::string header = "{\"__metadata__\":{\"format\":\"pt\"},\"s\":" + entry("I32", "[]", "[0,4]") +
                             ",\"z\":" + entry("F16", "[3,0]", "[4,4]") + ",\"b\":" + entry("BF16", "[2]", "[4,8]") +
                             ",\"q\":" + entry("F8_E4M3", "[2,1]", "[8,10]") + ",\"f\":" + entry("F4", "[4]", "[10,12]") +
                             ",\"h\":" + entry("F32", "[1,1]", "[12,16]") + "}   ";
  const SafetensorsFile file = parse(image(header, 16));
  CHECK(file.metadata == Metadata{{"format", "pt"}});
  CHECK(file.skipped == std::map<std::string, std::string>{{"f", "F4"}, {"q", "F8_E4M3"}});
  REQUIRE(file.tensors.size() == 4);
  CHECK(file.tensors.at("s").at(0) == 0x04030201);
  CHECK(file.tensors.at("z").size() == 0);
  CHECK(file.tensors.at("b").shape() == Shape{2});
  CHECK(file.tensors.at("h").dtype() == DType::f32);
  CHECK(parse(image("{}", 0)).tensors.empty());
}

TEST_CASE("what is written is read back bit for bit, aligned, and needs no leftovers") {
  const TemporaryFolder folder;
  const std::string path = folder.file("out.safetensors");
  TensorMap tensors;
  unsigned seed = 1;
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64, DType::i64, DType::i32}) {
    AnyTensor tensor(dtype, {3, 5});
    for (std::size_t i = 0; i < tensor.byte_size(); ++i)
      tensor.mutable_bytes()[i] = static_cast<std::byte>(seed = (seed * 75 + 74) % 65537);
    tensors.emplace(fmt::format("tensor {} \"\xc3\xa9\"", to_string(dtype)), tensor);
  }
  tensors.emplace("empty", AnyTensor(DType::f32, {0}));
  tensors.emplace("scalar", AnyTensor(DType::f64, {}));
  write_safetensors(path, tensors, {{"command", "test"}});
  CHECK(folder.entries() == 1);

  const SafetensorsFile file = open_safetensors(path);
  CHECK(file.metadata == Metadata{{"command", "test"}});
  REQUIRE(file.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    CAPTURE(name);
    const AnyTensor& back = file.tensors.at(name);
    CHECK(back.dtype() == tensor.dtype());
    CHECK(back.shape() == tensor.shape());
    CHECK((tensor.size() == 0 || std::memcmp(back.bytes(), tensor.bytes(), tensor.byte_size()) == 0));
    CHECK(reinterpret_cast<std::uintptr_t>(back.bytes()) % size_of(back.dtype()) == 0);
  }
}

TEST_CASE("tensors outlive the map they were read in, and the file's name") {
  const TemporaryFolder folder;
  const std::string path = folder.file("gone.safetensors");
  AnyTensor tensor(DType::f64, {2});
  const double values[] = {1.25, -7};
  tensor.write(0, 2, values);
  write_safetensors(path, {{"a", tensor}});
  const AnyTensor kept = read_safetensors(path).at("a");
  std::filesystem::remove(path);
  CHECK(kept.at(1) == -7);
}

TEST_CASE("a writer leaves the old file alone until it is finished") {
  const TemporaryFolder folder;
  const std::string path = folder.file("kept.safetensors");
  write_file(path, "old");
  {
    SafetensorsWriter writer(path, {{"a", DType::f32, {4}}, {"b", DType::bf16, {2}}});
    const double values[] = {1, 2, 3, 1 + 0x1p-9};
    writer.append("a", values, 3);
    CHECK_THROWS_WITH(writer.finish(), Contains("\"a\"") && Contains("4 bytes were never appended"));
    CHECK_THROWS_WITH(writer.append("c", values, 1), Contains("\"c\" was not declared"));
    CHECK_THROWS_WITH(writer.append("b", values, 3), Contains("\"b\"") && Contains("where 4 are left"));
    CHECK(folder.entries() == 2);
  }
  CHECK(folder.entries() == 1);
  CHECK(std::filesystem::file_size(path) == 3);

  SafetensorsWriter writer(path, {{"a", DType::f32, {4}}, {"b", DType::bf16, {2}}});
  const double values[] = {1, 2, 3, 1 + 0x1p-9};
  writer.append("b", values + 2, 1);
  writer.append("a", values, 3);
  writer.append("a", values + 3, 1);
  writer.append("b", values + 3, 1);
  writer.finish();
  CHECK_THROWS_AS(writer.finish(), Error);
  const TensorMap read = read_safetensors(path);
  CHECK(read.at("a").at(3) == 1 + 0x1p-9);
  CHECK(read.at("b").at(0) == 3);
  CHECK(read.at("b").at(1) == 1);
  CHECK(folder.entries() == 1);
}

TEST_CASE("files that cannot be read or written say why") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(read_safetensors(folder.file("none")), Contains("none") && Contains("cannot be opened"));
  CHECK_THROWS_WITH(read_safetensors(folder.file("")), Contains("not a regular file"));
  CHECK_THROWS_WITH(write_safetensors(folder.file("no/folder"), {}), Contains("cannot be created"));
  CHECK_THROWS_WITH(write_safetensors(folder.file("x"), {{"\xff", AnyTensor(DType::f32, {1})}}), Contains("UTF-8"));
  CHECK_THROWS_WITH(write_safetensors(folder.file("x"), {{"__metadata__", AnyTensor(DType::f32, {1})}}), Contains("reserved"));
  CHECK(folder.entries() == 0);
}

}  // namespace
}  // namespace equinorm::tensor
