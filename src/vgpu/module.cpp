#include "vgpu/module.hpp"

namespace equinorm::vgpu {
namespace {

constexpr int kDeepestChain = 64;  // a chain of inlined places may be a ring in a malformed file

}  // namespace

const Function* Module::find_function(std::string_view function) const {
  const Function* found = nullptr;
  for (const Function& candidate : functions)
    if (candidate.name == function && (found == nullptr || candidate.has_body)) found = &candidate;
  return found;
}

const Variable* Module::find_variable(std::string_view variable) const {
  for (const Variable& candidate : variables)
    if (candidate.name == variable) return &candidate;
  return nullptr;
}

std::string Module::describe_place(int place) const {
  std::string text;
  for (int depth = 0; place >= 0 && depth < kDeepestChain; ++depth) {
    const Place& p = places[static_cast<std::size_t>(place)];
    const auto file = static_cast<std::size_t>(p.file);
    if (!text.empty()) text += " inlined at ";
    text += (file < files.size() && !files[file].empty() ? files[file] : "file " + std::to_string(p.file)) + ":" + std::to_string(p.line);
    place = p.inlined_at;
  }
  return text;
}

int Module::outermost_place(int place) const {
  for (int depth = 0; place >= 0 && depth < kDeepestChain && places[static_cast<std::size_t>(place)].inlined_at >= 0; ++depth)
    place = places[static_cast<std::size_t>(place)].inlined_at;
  return place;
}

}  // namespace equinorm::vgpu
