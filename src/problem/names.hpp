// The words of the problem file for every enumeration, each in one table.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "problem/norm_traits.hpp"

namespace equinorm::problem {

template <class E, std::size_t N>
using NameTable = std::array<std::pair<E, std::string_view>, N>;

inline constexpr NameTable<Attention, 2> kAttentionNames{{{Attention::mla, "mla"}, {Attention::gqa, "gqa"}}};
inline constexpr NameTable<Start, 2> kStartNames{{{Start::latent, "latent"}, {Start::x, "x"}}};
/// The schemes for which `listed` holds, in the order of the enumeration.
template <class Listed>
constexpr auto scheme_names(Listed listed) {
  constexpr auto count = [](Listed wanted) {
    std::size_t n = 0;
    for (const NormScheme scheme : kNormSchemes) n += wanted(scheme) ? 1 : 0;
    return n;
  }(Listed{});
  NameTable<NormScheme, count> table{};
  std::size_t row = 0;
  for (const NormScheme scheme : kNormSchemes) {
    if (listed(scheme)) table[row].first = scheme, table[row].second = traits(scheme).name, ++row;
  }
  return table;
}
inline constexpr auto kNormSchemeNames = scheme_names([](NormScheme) { return true; });
inline constexpr auto kMlaSchemeNames = scheme_names([](NormScheme scheme) { return traits(scheme).mla; });
inline constexpr auto kGqaSchemeNames = scheme_names([](NormScheme scheme) { return traits(scheme).gqa; });
inline constexpr NameTable<NormKind, 2> kNormKindNames{{{NormKind::rms, "rms"}, {NormKind::l2, "l2"}}};
inline constexpr NameTable<NormWeight, 3> kNormWeightNames{
    {{NormWeight::plain, "plain"}, {NormWeight::zero_centred, "zero_centred"}, {NormWeight::none, "none"}}};
inline constexpr NameTable<RopeLayout, 3> kRopeLayoutNames{
    {{RopeLayout::interleaved, "interleaved"}, {RopeLayout::half, "half"}, {RopeLayout::none, "none"}}};
inline constexpr NameTable<RopePart, 2> kRopePartNames{{{RopePart::first, "first"}, {RopePart::last, "last"}}};
inline constexpr NameTable<RopeScaling::Type, 2> kScalingNames{{{RopeScaling::Type::linear, "linear"}, {RopeScaling::Type::yarn, "yarn"}}};
inline constexpr NameTable<MaskKind, 3> kMaskKindNames{
    {{MaskKind::none, "none"}, {MaskKind::causal, "causal"}, {MaskKind::window, "window"}}};
inline constexpr NameTable<PathKind, 2> kPathNames{{{PathKind::explicit_form, "explicit"}, {PathKind::absorbed_form, "absorbed"}}};

/// Where the values of a problem's inputs may come from: `file`, or a family of generated values. A new family is one word here; the inputs
/// room's tests then ask for its generator.
inline constexpr std::array<std::string_view, 13> kInputKinds{
    "normal",   "uniform",    "planted-key", "small-tokens", "wide-tokens", "massive-channels", "anisotropic", "nullspace",
    "integers", "zero-token", "edge-logits", "constant",     "file"};

/// The word of a value; "?" for a value that no enumerator names.
template <class E, std::size_t N>
std::string name_of(const NameTable<E, N>& table, E value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return std::string(name);
  }
  return "?";
}

template <class E, std::size_t N>
std::optional<E> value_of(const NameTable<E, N>& table, std::string_view word) {
  for (const auto& [entry, name] : table) {
    if (name == word) return entry;
  }
  return std::nullopt;
}

/// "a, b, c".
template <class E, std::size_t N>
std::string words_of(const NameTable<E, N>& table) {
  std::string text;
  for (const auto& [entry, name] : table) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace equinorm::problem
