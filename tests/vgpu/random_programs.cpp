#include "vgpu/random_programs.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>

#include "vgpu/opcodes.hpp"
#include "vgpu/vgpu_support.hpp"

namespace vgpu_tests {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// One instruction of a row.
class Line {
 public:
  Line(const Row& row, Random& random) : random_(random) {
    for (const std::string& part : split(row.pattern, ' ')) add(part);
    std::string list;
    for (const std::string& code : split(row.operands, ' '))
      if (code.back() != '?' || pick(random_, 2) == 0) list += (list.empty() ? " " : ", ") + operand(code);
    text_ = opcode_ + list + ";";
    if (pick(random_, 6) == 0) text_ = (pick(random_, 2) == 0 ? "@%p" : "@!%p") + std::to_string(pick(random_, 8)) + " " + text_;
  }
  const std::string& text() const { return text_; }

 private:
  void add(std::string part) {
    if (part[0] == '#') part.erase(0, 1);
    if (part[0] == '[') {
      if (pick(random_, 3) != 0) return;
      part = part.substr(1, part.size() - 2);
    }
    const std::vector<std::string> choices = split(part, '|');
    std::string chosen = choices[pick(random_, choices.size())];
    if (chosen.back() == '*') chosen += "x";
    if (chosen.starts_with(".v") && chosen.size() == 3) count_ = chosen[2] - '0';
    if (chosen[0] == '.' && std::find(std::begin(kTypes), std::end(kTypes), chosen.substr(1)) != std::end(kTypes))
      types_.push_back(chosen.substr(1));
    is_shared_ |= chosen.starts_with(".shared");
    opcode_ += chosen == "mov_pack" || chosen == "mov_unpack" ? "mov" : chosen;
  }

  std::string number() {
    constexpr const char* kNumbers[] = {"0", "1", "-1", "4", "31", "32", "0x7fffffff", "-2147483648", "0f3f800000", "0fff800000"};
    return kNumbers[pick(random_, std::size(kNumbers))];
  }

  std::string reg(const std::string& type) {
    if (type == "pred") return "%p" + std::to_string(pick(random_, 8));
    const bool is_float = type[0] == 'f' && pick(random_, 2) == 0;
    const std::string digits = type.substr(type.find_first_of("0123456789"));
    if (digits == "64") return is_float ? "%fd" + std::to_string(pick(random_, 8)) : "%rd" + std::to_string(pick(random_, 32));
    if (digits == "16" || digits == "8") return "%h" + std::to_string(pick(random_, 16));
    return is_float && digits == "32" ? "%f" + std::to_string(pick(random_, 16)) : "%r" + std::to_string(pick(random_, 32));
  }

  std::string address() {
    const std::string offset = pick(random_, 2) == 0 ? "" : "+" + std::to_string(static_cast<int>(pick(random_, 80)) * 4 - 32);
    switch (pick(random_, is_shared_ ? 3 : 5)) {
      case 0:
        return "[s" + offset + "]";
      case 1:
        return "[%r" + std::to_string(pick(random_, 32)) + offset + "]";
      case 2:
        return "[l" + offset + "]";
      default:
        return "[%rd" + std::to_string(pick(random_, 16)) + offset + "]";
    }
  }

  std::string vector(const std::string& type, int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += (i == 0 ? "" : ", ") + reg(type);
    return "{" + list + "}";
  }

  std::string operand(std::string code) {
    const bool is_result = code[0] == '=';
    std::erase_if(code, [](char c) { return c == '=' || c == '~' || c == '?'; });
    if (code == "[m]") return address();
    if (code == "i") return std::to_string(1 << pick(random_, 12));
    if (code == "@" || code == "c") return "L" + std::to_string(pick(random_, 4));
    if (code == "p") return vector(types_.empty() || types_[0] == "b32" ? "b16" : "b32", 2);
    if (const std::size_t bar = code.find('|'); bar != std::string::npos)
      return operand("=" + code.substr(0, bar)) + (pick(random_, 2) == 0 ? "|" + reg("pred") : "");
    if (code.size() > 2 && code[1] == 'x') return vector(code.substr(2), code[0] - '0');
    const bool is_vector = code.find('*') != std::string::npos;
    std::erase(code, '*');
    if (code == "w") code = types_.empty() || types_[0].ends_with("32") ? "b64" : "b32";
    if (code.size() == 1) {
      const auto at = static_cast<std::size_t>(code[0] - '0');
      code = at < types_.size() ? types_[at] : "b32";
    }
    if (is_vector && count_ > 1) return vector(code, count_);
    return is_result || code == "pred" || pick(random_, 4) != 0 ? reg(code) : number();
  }

  static constexpr const char* kTypes[] = {"b8",  "u8",  "s8",  "b16", "u16", "s16", "f16", "bf16", "f16x2", "bf16x2",
                                           "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64",  "tf32",  "pred"};

  Random& random_;
  std::string opcode_, text_;
  std::vector<std::string> types_;
  int count_ = 1;
  bool is_shared_ = false;
};

Options random_options(Random& random) {
  Options options;
  options.order = static_cast<Order>(pick(random, 3));
  options.copies = static_cast<CopySchedule>(pick(random, 2));
  options.approximation = static_cast<Approximation>(pick(random, 2));
  options.contraction = static_cast<Contraction>(pick(random, 2));
  options.seed = random();
  options.threads = 1 + static_cast<int>(pick(random, 3));
  options.races = pick(random, 4) != 0;
  options.grid_races = pick(random, 4) == 0;
  options.shadows = pick(random, 2) == 0;
  options.shadow_kind = static_cast<ShadowKind>(pick(random, 5));
  options.exact_constants = pick(random, 2) == 0;
  options.find_nan = pick(random, 2) == 0;
  options.instruction_limit = 3000;
  options.seconds_limit = 20;
  return options;
}

}  // namespace

std::vector<std::string> real_ptx() {
  std::vector<std::filesystem::path> paths;
  for (const char* folder : {EQUINORM_TEST_FOLDER "/vgpu/kernels", EQUINORM_TEST_FOLDER "/../src/kernels/bundled/cuda"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.path().extension() == ".ptx") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const auto& path : paths) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    texts.push_back(text.str());
  }
  return texts;
}

std::string random_program(Random& random, std::size_t lines) {
  std::string body = "mov.u32 %r2, s;\nmad.lo.u32 %r3, %r1, 4, %r2;\nadd.u64 %rd10, %rd3, %rd9;\nadd.u64 %rd11, %rd1, %rd9;\n";
  for (std::size_t i = 0; i < lines; ++i) {
    if (i % (lines / 4 + 1) == 0) body += "L" + std::to_string(i / (lines / 4 + 1)) + ":\n";
    body += Line(rows()[pick(random, rows().size())], random).text() + "\n";
  }
  return body_of(body, ".shared .align 16 .b8 s[1024];\n.local .align 16 .b8 l[96];\n");
}

std::string mutated(std::string text, Random& random) {
  const std::size_t edits = 1 + pick(random, 4);
  for (std::size_t i = 0; i < edits && !text.empty(); ++i) {
    const std::size_t at = pick(random, text.size()), length = 1 + pick(random, 40);
    const auto word = [&](std::size_t from) {
      const std::size_t begin = std::min(text.find_first_of(" \t,[{", from), text.size());
      return std::pair(begin, std::min(text.find_first_of(",;]}\n", begin), text.size()) - begin);
    };
    switch (pick(random, 8)) {
      case 0:
        text[at] = static_cast<char>(pick(random, 256));
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(pick(random, text.size()), length));
        break;
      case 3:
        if (pick(random, 8) == 0) text.resize(at + 1);
        break;
      case 4:
      case 5: {  // an operand for an operand
        const auto [from, size] = word(pick(random, text.size()));
        const std::string other = text.substr(from, size);
        const auto [to, old] = word(at);
        text.replace(to, old, other);
        break;
      }
      default: {  // lines
        const std::size_t begin = text.find('\n', at), end = begin == std::string::npos ? begin : text.find('\n', begin + 1);
        if (end == std::string::npos) break;
        const std::string line = text.substr(begin, end - begin);
        if (pick(random, 2) == 0) text.erase(begin, end - begin);
        const std::size_t to = text.find('\n', pick(random, text.size()));
        if (to != std::string::npos) text.insert(to, line);
      }
    }
  }
  return text;
}

std::size_t run_anything(std::string text, Random& random, int patience) {
  for (;; --patience) {
    try {
      const Module module = parse_module(text, "x");
      std::size_t ran = 0;
      for (const Function& kernel : module.functions) {
        if (!kernel.is_entry) continue;
        Device device;
        const std::vector<float> numbers = random_floats(4096, static_cast<std::uint32_t>(random()));
        std::vector<Argument> arguments;
        for (const int parameter : kernel.parameters) {
          const std::uint64_t bytes = parameter < 0 ? 4 : kernel.variables[static_cast<std::size_t>(parameter)].bytes;
          Argument argument;
          if (bytes == 8)
            argument = Argument::pointer(device.upload(std::span<const float>(numbers)));
          else
            argument.bytes.assign(bytes, static_cast<std::byte>(pick(random, 3)));
          arguments.push_back(std::move(argument));
        }
        Grid grid;
        grid.blocks = {3, 1, 1};
        grid.threads = kernel.required_threads[0] != 0 ? kernel.required_threads : std::array<std::uint32_t, 3>{48, 1, 1};
        grid.dynamic_shared = 2048;
        const LaunchReport report = device.launch(module, kernel.name, grid, arguments, random_options(random));
        for (const Finding& finding : report.findings) ran += to_string(finding).empty() ? 1 : 0;
        ++ran;
      }
      return ran;
    } catch (const equinorm::Error& error) {
      // "x:17: ..." names a line.
      const std::string what = error.what();
      std::size_t line = 0;
      if (patience <= 0 || !what.starts_with("x:") || std::from_chars(what.data() + 2, what.data() + what.size(), line).ec != std::errc{})
        return 0;
      std::vector<std::string> lines = split(text, '\n');
      if (line == 0 || line > lines.size()) return 0;
      lines[line - 1].clear();
      text = join(lines);
    }
  }
}

}  // namespace vgpu_tests
