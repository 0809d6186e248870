#include "kernels/process_answer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/worker_link.hpp"
#include "problem/object_reader.hpp"
#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

using problem::JsonValue;
using problem::ObjectReader;

constexpr problem::NameTable<RunStatus, 3> kAnswers{
    {{RunStatus::ok, "ok"}, {RunStatus::unsupported, "unsupported"}, {RunStatus::failed, "failed"}}};

}  // namespace

Answer without_answer(const Dialogue::Heard& heard, Dialogue& dialogue, const Limits& limits) {
  Answer answer;
  using Kind = Dialogue::Heard::Kind;
  switch (heard.kind) {
    case Kind::ended:
      answer.status = RunStatus::crashed;
      answer.detail = fmt::format("ended without an answer, {}", dialogue.child().end()->description());
      break;
    case Kind::silence:
      answer.status = RunStatus::timed_out;
      answer.detail = fmt::format("no answer within {:g} s", limits.seconds);
      break;
    case Kind::memory:
      answer.status = RunStatus::out_of_memory;
      answer.detail = fmt::format("grew beyond {} MiB", limits.memory >> 20);
      break;
    case Kind::processes:
      answer.status = RunStatus::crashed;
      answer.detail = "started more processes than allowed and was killed";
      break;
    default:
      answer.status = RunStatus::protocol;
      answer.detail = "no answer of a kernel";
  }
  if (!heard.text.empty()) answer.detail += ": " + heard.text;
  answer.detail += dialogue.last_words();
  return answer;
}

Answer read_answer(const JsonValue& value, std::optional<std::uint64_t> id, double wall) {
  Answer answer;
  try {
    ObjectReader reader(value, "");
    Index number = -1;
    scalar::Decimal seconds;
    std::string message;
    reader.integer("id", number);
    if (id && number != static_cast<Index>(*id)) throw Error(fmt::format("id is {}; allowed: {}, that of the request", number, *id));
    if (value.find("status") == nullptr) throw Error("status is missing; allowed: ok, unsupported, failed");
    reader.word("status", answer.status, kAnswers);
    reader.string("message", message);
    reader.decimal("seconds", seconds);
    answer.seconds = value.find("seconds") != nullptr ? std::clamp(seconds.to_double(), 0.0, wall) : wall;
    answer.detail = message.empty() ? "" : '"' + printable(message) + '"';
    if (const JsonValue* changed = reader.take("changed")) {
      if (!changed->is(JsonValue::Kind::array)) reader.reject("changed", *changed, "a list of names");
      for (const JsonValue& name : changed->items) answer.changed += (answer.changed.empty() ? "" : ", ") + problem::describe(name);
    }
    reader.finish();
  } catch (const Error& error) {
    answer.status = RunStatus::protocol;
    answer.detail = fmt::format("its answer: {}", error.what());
  }
  return answer;
}

}  // namespace equinorm::kernels
