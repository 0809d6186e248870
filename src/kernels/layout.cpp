#include "kernels/layout.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <random>
#include <set>
#include <string_view>

namespace equinorm::kernels {
namespace {

constexpr Index kSparePages = 3;
constexpr Index kWideFactor = 8;  ///< pools of so many times the pages that are needed are address space, not memory
constexpr Index kGapBytes = 16;   ///< gaps are multiples of it, so that rows whose length is one stay aligned for vector loads

/// FNV-1a, 64 bits.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// Elements of the axes from `first` on.
Index count_from(const tensor::Shape& shape, std::size_t first) {
  return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end(), Index{1}, std::multiplies<>());
}

/// Tokens of a row that count.
Index live_tokens(const Problem& problem, Index row, Index tokens) { return std::min(problem.context_of(row), tokens); }

/// Appends a run of one batch row, cut at the end of its context. `first`: its first token; `per_token`: elements of a token.
void append(std::vector<Run>& runs, Index logical, Index physical, Index count, Index live) {
  if (live > 0) runs.push_back({logical, physical, std::min(live, count), false});
  if (live < count) {
    const Index begin = std::max<Index>(live, 0);
    runs.push_back({logical + begin, physical + begin, count - begin, true});
  }
}

/// One run per stretch without gap: whole batch rows where `row_axes` is 1, last-axis rows where it is rank - 1.
void make_runs(Layout& layout, const Problem& problem, int token, std::size_t row_axes) {
  const tensor::Shape& shape = layout.shape;
  const Index length = count_from(shape, row_axes);
  const tensor::Shape outer(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(row_axes));
  const Index rows = tensor::element_count(outer);
  if (length == 0) return;
  for (Index row = 0; row < rows; ++row) {
    const tensor::Shape at = tensor::unravel(outer, row);
    Index physical = 0;
    for (std::size_t axis = 0; axis < row_axes; ++axis) physical += at[axis] * layout.strides[axis];
    Index live = length;
    if (token >= 0) {
      const auto axis = static_cast<std::size_t>(token);
      const Index tokens = live_tokens(problem, at[0], shape[axis]);
      // The token is the first of the run's own axes, or one of those outside.
      live = axis >= row_axes ? tokens * count_from(shape, axis + 1) : at[axis] < tokens ? length : 0;
    }
    append(layout.runs, row * length, physical, length, live);
  }
}

void lay_contiguous(Layout& layout, const Problem& problem, int token) {
  layout.strides.assign(layout.shape.size(), 1);
  for (std::size_t axis = layout.shape.size(); axis-- > 1;) layout.strides[axis - 1] = layout.strides[axis] * layout.shape[axis];
  layout.span = tensor::element_count(layout.shape);
  if (token < 0)
    append(layout.runs, 0, 0, layout.span, layout.span);
  else
    make_runs(layout, problem, token, static_cast<std::size_t>(token));
}

void lay_strided(Layout& layout, const Problem& problem, int token, std::mt19937_64& random) {
  const Index unit = kGapBytes / static_cast<Index>(tensor::size_of(layout.dtype));
  layout.strides.assign(layout.shape.size(), 1);
  for (std::size_t axis = layout.shape.size(); axis-- > 1;)
    layout.strides[axis - 1] = layout.strides[axis] * layout.shape[axis] + unit * static_cast<Index>(1 + random() % 4);
  layout.span = layout.shape.empty() ? 1 : layout.shape[0] * layout.strides[0];
  if (tensor::element_count(layout.shape) == 0) layout.span = 0;
  make_runs(layout, problem, token, layout.shape.empty() ? 0 : layout.shape.size() - 1);
}

Index blocks_of(Index tokens, Index page_size) { return (tokens + page_size - 1) / page_size; }

/// Page numbers in the order in which rows get them: all of a pool shuffled, or `used` of a wide one, every third from its last third.
std::vector<std::int32_t> deal_order(const Layout& layout, Index used, std::mt19937_64& random) {
  std::vector<std::int32_t> order;
  if (layout.wide) {
    std::set<Index> taken;
    const auto pages = static_cast<std::uint64_t>(layout.pages);
    while (static_cast<Index>(order.size()) < used) {
      const std::uint64_t first = order.size() % 3 == 0 ? pages - pages / 3 : 0;
      const auto page = static_cast<Index>(first + random() % (pages - first));
      if (taken.insert(page).second) order.push_back(static_cast<std::int32_t>(page));
    }
    return order;
  }
  order.resize(static_cast<std::size_t>(layout.pages));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return order;
}

/// Fills block_table and pages.
void deal_pages(Layout& layout, const Problem& problem, Index tokens, Index pool, std::uint64_t seed) {
  layout.blocks_per_row = std::max<Index>(1, blocks_of(tokens, layout.page_size));
  Index used = 0;
  for (Index b = 0; b < layout.shape[0]; ++b) used += blocks_of(live_tokens(problem, b, tokens), layout.page_size);
  layout.pages = used + kSparePages;
  layout.wide = pool >= kWideFactor * layout.pages;
  if (layout.wide) layout.pages = pool;
  std::mt19937_64 random(seed * 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(layout.page_size));
  const std::vector<std::int32_t> order = deal_order(layout, used, random);
  std::size_t next = 0;
  for (Index b = 0; b < layout.shape[0]; ++b) {
    const Index live = blocks_of(live_tokens(problem, b, tokens), layout.page_size);
    for (Index block = 0; block < layout.blocks_per_row; ++block)
      layout.block_table.push_back(block < live ? order[next++] : kNoPage - static_cast<std::int32_t>(random() % 1024));
  }
}

void lay_paged(Layout& layout, const Problem& problem, Index pool, std::uint64_t seed, std::mt19937_64& random) {
  const Index tokens = layout.shape[1], per_token = count_from(layout.shape, 2);
  deal_pages(layout, problem, tokens, pool, seed);
  layout.strides.assign(layout.shape.size(), 1);
  for (std::size_t axis = layout.shape.size(); axis-- > 2;) layout.strides[axis - 1] = layout.strides[axis] * layout.shape[axis];
  layout.strides[0] = 0;
  const Index unit = kGapBytes / static_cast<Index>(tensor::size_of(layout.dtype));
  layout.page_stride = layout.page_size * per_token + (random() % 2 == 0 ? 0 : unit * static_cast<Index>(1 + random() % 4));
  layout.span = layout.pages * layout.page_stride;
  if (per_token == 0) return;
  for (Index b = 0; b < layout.shape[0]; ++b) {
    const Index live = live_tokens(problem, b, tokens);
    for (Index first = 0; first < live; first += layout.page_size) {
      const Index page = layout.block_table[static_cast<std::size_t>(b * layout.blocks_per_row + first / layout.page_size)];
      const Index count = std::min(layout.page_size, live - first) * per_token;
      layout.runs.push_back({(b * tokens + first) * per_token, page * layout.page_stride, count, false});
    }
  }
  std::sort(layout.runs.begin(), layout.runs.end(), [](const Run& a, const Run& b) { return a.physical < b.physical; });
}

}  // namespace

int token_axis(const std::string& name) {
  constexpr std::array<std::string_view, 10> kSecond{"c",       "k_rope",        "k",     "v",          "x",
                                                     "alpha_k", "k_rope_cached", "k_hat", "k_deferred", "positions_k"};
  if (std::find(kSecond.begin(), kSecond.end(), name) != kSecond.end()) return 1;
  return name == "logits" || name == "p" ? 3 : -1;
}

std::map<Index, Index> wide_pools(const std::vector<Passed>& tensors, Index elements) {
  std::map<Index, Index> longest, pools;
  const auto paged = [](const Passed& tensor) {
    return tensor.layout == LayoutKind::paged && tensor::element_count(tensor.spec.shape) > 0;
  };
  const auto page_elements = [](const Passed& tensor) { return tensor.page_size * count_from(tensor.spec.shape, 2); };
  for (const Passed& tensor : tensors) {
    if (paged(tensor)) longest[tensor.page_size] = std::max(longest[tensor.page_size], page_elements(tensor));
  }
  for (const auto& [page_size, page] : longest) pools[page_size] = std::min<Index>((elements + page - 1) / page, kNoPage - 1024);
  for (const Passed& tensor : tensors) {
    if (!paged(tensor) || tensor.largest_pool == 0) continue;
    // With the widest gap between pages.
    const Index page = page_elements(tensor) + 4 * kGapBytes;
    pools[tensor.page_size] = std::min(pools[tensor.page_size], tensor.largest_pool / page);
  }
  return pools;
}

std::size_t Layout::resident_bytes() const {
  if (!wide) return bytes();
  std::size_t touched = 2 * kNearBytes;
  for (const Run& run : runs) touched += static_cast<std::size_t>(run.count) * tensor::size_of(dtype) + 4 * kNearBytes;
  return std::min(touched, bytes());
}

Layout make_layout(const Passed& passed, const Problem& problem, std::uint64_t seed, const std::map<Index, Index>& pools) {
  Layout layout{.dtype = passed.dtype, .shape = passed.spec.shape, .page_size = passed.page_size};
  const int token = token_axis(passed.spec.name);
  std::mt19937_64 random(seed ^ hash_of(passed.spec.name));
  if (passed.layout == LayoutKind::paged)
    lay_paged(layout, problem, pools.contains(passed.page_size) ? pools.at(passed.page_size) : 0, seed, random);
  else if (passed.layout == LayoutKind::strided)
    lay_strided(layout, problem, token, random);
  else
    lay_contiguous(layout, problem, token);
  return layout;
}

}  // namespace equinorm::kernels
