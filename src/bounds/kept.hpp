// What one run leaves for the next.
#pragma once

#include <map>
#include <mutex>

namespace equinorm::bounds {

/// Values by place, put there by any thread. Nothing is taken away but by clear, so that what was found stays.
template <class Place, class Value>
class Kept {
 public:
  /// Keeps nothing unless `keeps`.
  explicit Kept(bool keeps) : keeps_(keeps) {}

  /// Null where nothing is kept.
  const Value* find(const Place& place) const {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(place);
    return found == values_.end() ? nullptr : &found->second;
  }
  void keep(const Place& place, const Value& value) {
    if (!keeps_) return;
    const std::lock_guard lock(mutex_);
    values_.emplace(place, value);
  }
  void clear() { values_.clear(); }

 private:
  bool keeps_;
  mutable std::mutex mutex_;
  std::map<Place, Value> values_;
};

}  // namespace equinorm::bounds
