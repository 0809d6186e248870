#include "commands/storage_views.hpp"

#include "commands/reference.hpp"
#include "inputs/round.hpp"

namespace equinorm::commands {

const StorageView& StorageViews::stored(const problem::Precision& precision) {
  const auto [entry, fresh] = stored_.try_emplace({static_cast<int>(precision.storage.kind), precision.ftz});
  if (fresh) {
    bool changed = false;
    tensor::TensorMap rounded = inputs::round_inputs(problem_, given_.inputs, precision.storage, precision.ftz, &changed);
    if (changed) {
      verdict::Reference reference = certified_reference(problem_, rounded, names_).tensors;
      entry->second = StorageView{std::move(rounded), std::move(reference)};
    }
  }
  return entry->second ? *entry->second : given_;
}

}  // namespace equinorm::commands
