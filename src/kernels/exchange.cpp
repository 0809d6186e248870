#include "kernels/exchange.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

#include "kernels/abi_problem.hpp"
#include "kernels/descriptor.hpp"
#include "kernels/layout.hpp"
#include "problem/json.hpp"
#include "problem/problem_file.hpp"
#include "scalar/error.hpp"
#include "tensor/safetensors.hpp"

namespace equinorm::kernels {
namespace {

/// Room for a header, and for padding that we would not write.
constexpr std::uint64_t kHeaderRoom = std::uint64_t{1} << 20;

/// A regular file's bytes, at most `limit` of them. O_NONBLOCK: a FIFO must not hold us.
struct Bytes {
  std::shared_ptr<std::vector<std::byte>> data;
  std::string problem;  ///< why there is none
};

Bytes read_regular_file(const std::string& path, std::uint64_t limit) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file.is_open() || fstat(file.get(), &status) != 0) return {nullptr, fmt::format("no outputs: {}", std::strerror(errno))};
  if (!S_ISREG(status.st_mode)) return {nullptr, "the outputs are no regular file"};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit) return {nullptr, fmt::format("the outputs' file holds {} bytes; what was asked for takes at most {}", size, limit)};
  auto data = std::make_shared<std::vector<std::byte>>(size);
  std::size_t at = 0;
  while (at < size) {
    const ssize_t count = read(file.get(), data->data() + at, size - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    at += static_cast<std::size_t>(count);
  }
  data->resize(at);
  return {data, ""};
}

std::string dims(const tensor::Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

}  // namespace

std::string run_request(const Request& request, const PassedTensors& passed, std::uint64_t id, const std::string& inputs_path,
                        const std::string& outputs_path) {
  std::vector<std::string> strided, expect;
  for (const Passed& input : passed.inputs) {
    if (input.layout != LayoutKind::strided) continue;
    const Layout layout = make_layout(input, *request.problem, request.layout_seed);
    strided.push_back(fmt::format("{}: {{\"shape\": {}, \"strides\": {}}}", problem::json_string(input.spec.name), dims(layout.shape),
                                  dims(layout.strides)));
  }
  for (const Passed& output : passed.outputs) {
    expect.push_back(fmt::format("{}: {{\"dtype\": \"{}\", \"shape\": {}}}", problem::json_string(output.spec.name),
                                 tensor::to_string(output.dtype), dims(output.spec.shape)));
  }
  const equinorm_problem scalars = abi_problem(*request.problem, request.splits, request.tile);
  std::string problem_json = problem::to_json(*request.problem);
  std::replace(problem_json.begin(), problem_json.end(), '\n', ' ');  // inside strings they are escaped
  return fmt::format(
      R"({{"request": "run", "id": {}, "inputs": {}, "outputs": {}, "strided": {{{}}}, "expect": {{{}}}, "scalars": {{"scale": {:.17g}, "eps": {:.17g}, )"
      R"("softcap": {:.17g}}}, "splits": {}, "tile": {}, "threads": {}, "problem": {}}})",
      id, problem::json_string(inputs_path), problem::json_string(outputs_path), fmt::join(strided, ", "), fmt::join(expect, ", "),
      scalars.scale, scalars.eps, scalars.softcap, request.splits, request.tile, request.limits.threads, problem_json);
}

std::uint64_t byte_count(const std::vector<Passed>& tensors) {
  std::uint64_t bytes = 0;
  for (const Passed& tensor : tensors)
    bytes += static_cast<std::uint64_t>(tensor::element_count(tensor.spec.shape)) * tensor::size_of(tensor.dtype);
  return bytes;
}

std::uint64_t file_fingerprint(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file.is_open() || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  std::vector<std::uint64_t> block((std::size_t{1} << 20) / sizeof(std::uint64_t));
  std::uint64_t total = 0, hash = 0x243f6a8885a308d3;
  while (total < static_cast<std::uint64_t>(status.st_size)) {
    std::size_t filled = 0;
    for (ssize_t count = 1; count > 0 && filled < block.size() * 8; filled += static_cast<std::size_t>(std::max<ssize_t>(count, 0)))
      count = read(file.get(), reinterpret_cast<char*>(block.data()) + filled, block.size() * 8 - filled);
    if (filled == 0) return 0;
    std::memset(reinterpret_cast<char*>(block.data()) + filled, 0, (8 - filled % 8) % 8);
    // Every step is invertible in the word and in the state: one changed word always shows.
    for (std::size_t i = 0; i < (filled + 7) / 8; ++i) hash = std::rotl((hash ^ block[i]) * 0x9e3779b97f4a7c15, 29);
    total += filled;
  }
  return (hash ^ total) | 1;
}

Outcome read_outputs(const std::string& path, const std::vector<Passed>& expected) {
  const Bytes bytes = read_regular_file(path, kHeaderRoom + byte_count(expected));
  Outcome outcome;
  outcome.status = RunStatus::wrong_shape;
  outcome.detail = bytes.problem;
  if (!bytes.data) return outcome;
  tensor::SafetensorsFile file;
  try {
    file = tensor::parse_safetensors(bytes.data->data(), bytes.data->size(), bytes.data, "outputs");
  } catch (const Error& error) {
    outcome.status = RunStatus::protocol;
    outcome.detail = error.what();
    return outcome;
  }
  std::vector<std::string> faults;
  for (const auto& [name, dtype] : file.skipped) faults.push_back(fmt::format("{} has dtype {}", problem::shown(name), dtype));
  for (const Passed& output : expected) {
    const auto found = file.tensors.find(output.spec.name);
    if (found == file.tensors.end()) {
      if (!file.skipped.contains(output.spec.name)) faults.push_back(fmt::format("{} is missing", output.spec.name));
    } else if (found->second.dtype() != output.dtype || found->second.shape() != output.spec.shape) {
      faults.push_back(fmt::format("{} is {} {}; asked for: {} {}", output.spec.name, tensor::to_string(found->second.dtype()),
                                   dims(found->second.shape()), tensor::to_string(output.dtype), dims(output.spec.shape)));
    } else {
      tensor::AnyTensor own(output.dtype, output.spec.shape);  // the judge clears what nobody asked for
      std::memcpy(own.mutable_bytes(), found->second.bytes(), own.byte_size());
      outcome.outputs.emplace(output.spec.name, std::move(own));
    }
    if (found != file.tensors.end()) file.tensors.erase(found);
  }
  for (const auto& [name, tensor] : file.tensors) faults.push_back(fmt::format("{} was not asked for", problem::shown(name)));
  outcome.status = faults.empty() ? RunStatus::ok : RunStatus::wrong_shape;
  outcome.detail = fmt::format("{}", fmt::join(faults, "; "));
  return outcome;
}

}  // namespace equinorm::kernels
