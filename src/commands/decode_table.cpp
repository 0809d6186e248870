#include "commands/decode_table.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace equinorm::commands {
namespace {

/// The paper's table: milliseconds of one layer's decode step, MLA and QK-normed MLA.
struct PaperRow {
  std::int64_t context;
  double mla, normed;
};
constexpr PaperRow kPaper[] = {{4096, 1.715, 1.740},  {8192, 1.891, 1.909},   {16384, 2.082, 2.121},  {32768, 2.486, 2.511},
                               {65536, 3.217, 3.253}, {131072, 5.427, 5.517}, {196608, 7.271, 7.392}, {262144, 13.082, 13.274}};

const PaperRow* paper_row(std::int64_t context) {
  for (const PaperRow& row : kPaper) {
    if (row.context == context) return &row;
  }
  return nullptr;
}

}  // namespace

std::vector<std::int64_t> decode_contexts() {
  std::vector<std::int64_t> contexts;
  for (const PaperRow& row : kPaper) contexts.push_back(row.context);
  return contexts;
}

std::string decode_table(const std::string& device, double copy_bandwidth, const std::vector<DecodeRow>& rows) {
  std::string text = fmt::format(
      "Absorbed decode on tensor cores, {}: 16 heads, 16 groups, r 512, d_c 128, d_r 64, batch 4, bf16, one query; copies reach {:.0f} "
      "GB/s\n",
      device, copy_bandwidth / 1e9);
  text += "ms; share: of the copy bandwidth; more: time over the kernel without norm; bytes: the same for bytes from memory\n\n";
  text += fmt::format("{:>8}  {:>8}{:>7}  {:>9}{:>7}{:>8}{:>8}  {:>9}{:>7}{:>8}{:>8}  {:>9}{:>8}{:>8}\n", "context", "no norm", "share",
                      "fp32 a_k", "share", "more", "bytes", "bf16 a_k", "share", "more", "bytes", "paper MLA", "normed", "more");
  for (const DecodeRow& row : rows) {
    text += fmt::format("{:>8}  {:>8.4f}{:>6.0f}%", row.context, 1e3 * row.seconds[0], 100 * row.bandwidth_share(0, copy_bandwidth));
    for (const int i : {1, 2}) {
      text += fmt::format("  {:>9.4f}{:>6.0f}%{:>7.2f}%{:>7.2f}%", 1e3 * row.seconds[i], 100 * row.bandwidth_share(i, copy_bandwidth),
                          100 * row.overhead(i), 100 * row.byte_ratio(i));
    }
    if (const PaperRow* paper = paper_row(row.context))
      text += fmt::format("  {:>9.3f}{:>8.3f}{:>7.2f}%", paper->mla, paper->normed, 100 * (paper->normed / paper->mla - 1));
    text += "\n";
  }
  return text;
}

std::string decode_json(const std::string& device, double copy_bandwidth, const std::vector<DecodeRow>& rows) {
  nlohmann::ordered_json root{{"device", device}, {"copy_bandwidth", copy_bandwidth}};
  for (const DecodeRow& row : rows) {
    nlohmann::ordered_json one{{"context", row.context}};
    const char* const names[] = {"none", "alpha_fp32", "alpha_bf16"};
    for (int i = 0; i < 3; ++i)
      one[names[i]] = {{"seconds", row.seconds[i]},
                       {"bytes", row.bytes[i]},
                       {"overhead", row.overhead(i)},
                       {"bandwidth_share", row.bandwidth_share(i, copy_bandwidth)}};
    root["rows"].push_back(one);
  }
  return root.dump(2) + "\n";
}

}  // namespace equinorm::commands
