// Results as lines of a journal and back: what work/codec.hpp needs to know about problems, verdicts and reports.
#pragma once

#include "bounds/amplification.hpp"
#include "exact/equality.hpp"
#include "problem/problem_file.hpp"
#include "report/members.hpp"
#include "tensor/any_tensor.hpp"
#include "verdict/members.hpp"
#include "work/codec.hpp"

namespace equinorm::bounds {

inline auto members(LogitTerms& x) {
  return std::tie(x.worst_explicit, x.worst_latent, x.worst_logit, x.square_explicit, x.square_latent, x.square_logit, x.centred_explicit,
                  x.centred_latent, x.count);
}
inline auto members(OutputTerms& x) {
  return std::tie(x.worst_latent, x.worst_value, x.square_latent, x.square_value, x.square_centred, x.count);
}

}  // namespace equinorm::bounds

namespace equinorm::exact {

inline auto members(Departure& x) { return std::tie(x.stage, x.tensor, x.index, x.explicit_value, x.absorbed_value); }
inline auto members(FieldPiece& x) { return std::tie(x.round, x.equal_elements, x.departure); }

}  // namespace equinorm::exact

namespace equinorm::work {

template <>
struct Codec<problem::Problem> {
  static Json to(const problem::Problem& x) { return problem::to_json(x); }
  static void from(const Json& json, problem::Problem& x) { x = problem::parse_problem(json.get<std::string>(), "journal"); }
};

/// Bytes in hexadecimal, beside dtype and shape.
template <>
struct Codec<tensor::AnyTensor> {
  static Json to(const tensor::AnyTensor& x) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string bytes;
    for (std::size_t i = 0; i < x.byte_size(); ++i) {
      const auto byte = static_cast<unsigned>(x.bytes()[i]);
      bytes += kDigits[byte >> 4], bytes += kDigits[byte & 15];
    }
    return Json::array({encode(x.dtype()), encode(x.shape()), bytes});
  }
  static void from(const Json& json, tensor::AnyTensor& x) {
    x = tensor::AnyTensor(decode<tensor::DType>(json.at(0)), decode<tensor::Shape>(json.at(1)));
    const auto bytes = json.at(2).get<std::string>();
    if (bytes.size() != 2 * x.byte_size()) throw Error("a journal's tensor has another size than its shape");
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i < x.byte_size(); ++i)
      x.mutable_bytes()[i] = static_cast<std::byte>(digit(bytes[2 * i]) * 16 + digit(bytes[2 * i + 1]));
  }
};

}  // namespace equinorm::work
