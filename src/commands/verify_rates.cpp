#include "commands/verify_rates.hpp"

#include <algorithm>

namespace equinorm::commands {

double VerifyRates::rate(problem::Attention attention, problem::Start start, const std::string& what) {
  // The catalogue's wrong forms are runs in the declared arithmetic, under bounds.
  if (what == "bounds" || what == "wrong forms") return rate(attention, start, "bf16/fp32");
  const auto [entry, fresh] = rates_.try_emplace({attention, start, what});
  if (!fresh) return entry->second;
  Options options;
  VerifyOptions verify;
  const bool check = what == "prime field" || what == "rationals" || what == "precision ladder";
  verify.formats = {check ? "bf16/fp32" : what};
  const bool mla = attention == problem::Attention::mla, from_x = start == problem::Start::x;
  if (mla && !from_x) options.overrides = {{"heads", "2"}, {"groups", "2"}, {"context", "64"}};
  const char* name = from_x ? (mla ? "mla-from-x" : "gqa-from-x-window") : (mla ? "paper-tp8" : "gqa-per-head-gated");
  VerifyCase probe(name, verify, options);
  const auto quiet = [](const std::string&) {};
  for (std::size_t part = 0; part < probe.parts().size(); ++part) {
    if (probe.parts()[part].what != what) continue;
    if (!check) probe.run(part, quiet);  // inputs and reference, which later parts of a case find ready
    entry->second = probe.run(part, quiet).result.seconds / std::max(1.0, probe.parts()[part].cost);
  }
  return entry->second;
}

}  // namespace equinorm::commands
