#include "tensor/safetensors_header.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

namespace equinorm::tensor {
namespace {

constexpr const char* kMetadataKey = "__metadata__";
constexpr const char* kEntryFields = "dtype, shape and data_offsets";

/// Reads the header event by event: a DOM would silently keep the last of two equal names and turn large integers into doubles.
class HeaderReader {
 public:
  explicit HeaderReader(const std::string& origin) : origin_(origin) {}

  Header take() { return std::move(header_); }

  bool null() { return reject_value("null"); }
  bool boolean(bool value) { return reject_value(value ? "true" : "false"); }
  bool number_integer(std::int64_t value) { return reject_value(std::to_string(value)); }
  bool number_float(double, const std::string& text) { return reject_value(text); }
  bool binary(std::vector<std::uint8_t>&) { return reject_value("binary data"); }

  bool number_unsigned(std::uint64_t value) {
    if (place_ == Place::shape) {
      entry_.shape.push_back(value);
    } else if (place_ == Place::offsets && offsets_read_ < 2) {
      (offsets_read_ == 0 ? entry_.begin : entry_.end) = value;
      ++offsets_read_;
    } else {
      reject_value(std::to_string(value));
    }
    return true;
  }

  bool string(std::string& value) {
    if (place_ == Place::metadata) {
      header_.metadata[key_] = value;
    } else if (place_ == Place::entry && key_ == "dtype") {
      entry_.dtype = value;
    } else {
      reject_value(in_quotes(value));
    }
    return true;
  }

  bool start_object(std::size_t) {
    switch (place_) {
      case Place::document:
        place_ = Place::top;
        return true;
      case Place::top:
        place_ = key_ == kMetadataKey ? Place::metadata : Place::entry;
        if (place_ == Place::entry) entry_ = HeaderEntry{key_, {}, {}, 0, 0};
        fields_.clear();
        return true;
      default:
        return reject_value("an object");
    }
  }

  bool key(std::string& name) {
    key_ = name;
    if (place_ == Place::top && !names_.insert(name).second) fail(fmt::format("tensor {} occurs twice", in_quotes(name)));
    if (place_ == Place::entry && name != "dtype" && name != "shape" && name != "data_offsets") {
      fail(fmt::format("tensor {}: unknown field {}; allowed are {}", in_quotes(entry_.name), in_quotes(name), kEntryFields));
    }
    if (place_ != Place::top && !fields_.insert(name).second) {
      fail(fmt::format("{}: field {} occurs twice", place_ == Place::entry ? "tensor " + in_quotes(entry_.name) : kMetadataKey,
                       in_quotes(name)));
    }
    return true;
  }

  bool end_object() {
    if (place_ == Place::entry) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (fields_.count(field) == 0)
          fail(fmt::format("tensor {}: field {} is missing; needed are {}", in_quotes(entry_.name), field, kEntryFields));
      }
      header_.entries.push_back(std::move(entry_));
    }
    place_ = Place::top;
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ == Place::entry && key_ == "shape") {
      place_ = Place::shape;
    } else if (place_ == Place::entry && key_ == "data_offsets") {
      place_ = Place::offsets;
      offsets_read_ = 0;
    } else {
      reject_value("an array");
    }
    return true;
  }

  bool end_array() {
    if (place_ == Place::offsets && offsets_read_ != 2) {
      fail(fmt::format("tensor {}: data_offsets has {} numbers; it must have 2", in_quotes(entry_.name), offsets_read_));
    }
    place_ = Place::entry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    fail(fmt::format("header is not JSON (byte {} of it)", position));
  }

 private:
  enum class Place { document, top, metadata, entry, shape, offsets };

  [[noreturn]] void fail(const std::string& what) const { throw Error(fmt::format("{}: {}", origin_, what)); }

  [[noreturn]] bool reject_value(const std::string& value) const {
    switch (place_) {
      case Place::document:
      case Place::top:
        fail(fmt::format("{}: got {}; it must be a JSON object", place_ == Place::top ? in_quotes(key_) : "header", value));
      case Place::metadata:
        fail(fmt::format("{}: field {} is {}; metadata values must be strings", kMetadataKey, in_quotes(key_), value));
      case Place::shape:
        fail(fmt::format("tensor {}: shape has {}; dimensions must be integers of at least 0", in_quotes(entry_.name), value));
      case Place::offsets:
        fail(fmt::format("tensor {}: data_offsets has {}; it must be two integers of at least 0", in_quotes(entry_.name), value));
      default:
        fail(fmt::format("tensor {}: field {} is {}; it must be {}", in_quotes(entry_.name), in_quotes(key_), value,
                         key_ == "dtype" ? "a string" : "an array of integers of at least 0"));
    }
  }

  const std::string& origin_;
  Header header_;
  Place place_ = Place::document;
  std::string key_;
  HeaderEntry entry_;
  int offsets_read_ = 0;
  std::set<std::string> names_;
  std::set<std::string> fields_;
};

}  // namespace

Header parse_header(std::string_view text, const std::string& origin) {
  HeaderReader reader(origin);
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  return reader.take();
}

std::string print_header(const Header& header) {
  nlohmann::ordered_json document = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) document[kMetadataKey] = header.metadata;
  for (const HeaderEntry& entry : header.entries) {
    if (entry.name == kMetadataKey) throw Error(fmt::format("{} is reserved and cannot name a tensor", kMetadataKey));
    document[entry.name] = {{"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text;
  try {
    text = document.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error("tensor names and metadata of a safetensors file must be UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 120;
  std::string out = "\"";
  for (const char symbol : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(symbol);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += symbol;
    }
  }
  return out + (text.size() > kLongest ? "...\"" : "\"");
}

}  // namespace equinorm::tensor
