#include "tensor/safetensors_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tensor/safetensors_header.hpp"

namespace equinorm::tensor {
namespace {

/// A name in the folder of `path` that no other writer uses: process id and a counter.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  const std::filesystem::path target(path);
  return (target.parent_path() / fmt::format(".{}.{}.{}.tmp", target.filename().string(), ::getpid(), counter++)).string();
}

/// Widest elements first: every tensor is then aligned to its element size, as the header is padded to 8 bytes.
std::vector<TensorInfo> file_order(std::vector<TensorInfo> tensors) {
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const TensorInfo& a, const TensorInfo& b) { return size_of(a.dtype) > size_of(b.dtype); });
  return tensors;
}

/// Makes the rename itself durable. Some file systems cannot flush folders; the data is safe there all the same.
void flush_folder(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::string path, const std::vector<TensorInfo>& tensors, const Metadata& metadata)
    : path_(std::move(path)), temporary_(temporary_name(path_)) {
  Header header;
  header.metadata = metadata;
  std::uint64_t position = 0;
  for (const TensorInfo& info : file_order(tensors)) {
    const auto bytes = static_cast<std::uint64_t>(element_count(info.shape)) * size_of(info.dtype);
    header.entries.push_back(
        {info.name, std::string(to_string(info.dtype)), {info.shape.begin(), info.shape.end()}, position, position + bytes});
    if (!slots_.emplace(info.name, Slot{info.dtype, position, position + bytes}).second) {
      throw Error(fmt::format("{}: tensor {} is declared twice", path_, in_quotes(info.name)));
    }
    position += bytes;
  }
  const std::string text = print_header(header);
  const std::uint64_t data_begin = sizeof(std::uint64_t) + text.size();
  for (auto& [name, slot] : slots_) {
    slot.next += data_begin;
    slot.end += data_begin;
  }
  std::byte length[sizeof(std::uint64_t)];
  for (std::size_t i = 0; i < sizeof length; ++i) length[i] = static_cast<std::byte>(text.size() >> (8 * i));

  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_with_errno("cannot be created");
  try {
    write_at(0, length, sizeof length);
    write_at(sizeof length, text.data(), text.size());
  } catch (...) {
    discard();
    throw;
  }
}

SafetensorsWriter::~SafetensorsWriter() { discard(); }

void SafetensorsWriter::append_bytes(const std::string& name, const std::byte* bytes, std::size_t size) {
  Slot& slot = slot_of(name);
  if (size > slot.end - slot.next) {
    throw Error(fmt::format("{}: tensor {}: {} bytes appended where {} are left", path_, in_quotes(name), size, slot.end - slot.next));
  }
  write_at(slot.next, bytes, size);
  slot.next += size;
}

void SafetensorsWriter::append(const std::string& name, const double* values, Index count) {
  constexpr Index kBlock = 1 << 16;
  const DType dtype = slot_of(name).dtype;
  for (Index begin = 0; begin < count; begin += kBlock) {
    const Index length = std::min(kBlock, count - begin);
    AnyTensor block(dtype, {length});
    block.write(0, length, values + begin);
    append_bytes(name, block.bytes(), block.byte_size());
  }
}

void SafetensorsWriter::finish(Flush flush) {
  if (descriptor_ < 0) throw Error(fmt::format("{}: already finished", path_));
  for (const auto& [name, slot] : slots_) {
    if (slot.next != slot.end)
      throw Error(fmt::format("{}: tensor {}: {} bytes were never appended", path_, in_quotes(name), slot.end - slot.next));
  }
  if (flush == Flush::yes && ::fsync(descriptor_) != 0) fail_with_errno("cannot be flushed");
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    errno = reason;
    fail_with_errno("cannot be put in place");
  }
  if (flush == Flush::yes) flush_folder(path_);
}

SafetensorsWriter::Slot& SafetensorsWriter::slot_of(const std::string& name) {
  const auto found = slots_.find(name);
  if (found == slots_.end()) throw Error(fmt::format("{}: tensor {} was not declared", path_, in_quotes(name)));
  if (descriptor_ < 0) throw Error(fmt::format("{}: already finished", path_));
  return found->second;
}

void SafetensorsWriter::write_at(std::uint64_t position, const void* bytes, std::size_t size) {
  const auto* source = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = ::pwrite(descriptor_, source, size, static_cast<off_t>(position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_errno("cannot be written");
    source += written;
    size -= static_cast<std::size_t>(written);
    position += static_cast<std::uint64_t>(written);
  }
}

void SafetensorsWriter::fail_with_errno(const char* action) const {
  throw Error(fmt::format("{}: {}: {}", path_, action, std::strerror(errno)));
}

void SafetensorsWriter::discard() noexcept {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
  descriptor_ = -1;
}

}  // namespace equinorm::tensor
