// Layouts: every element where kernel.h says it is, poison everywhere else, and back.
#include "kernels/layout.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "kernels/arena.hpp"

using namespace equinorm;
using namespace equinorm::kernels;

namespace {

Problem problem_of(std::vector<Index> context) {
  Problem problem;
  problem.batch = static_cast<Index>(context.size());
  problem.context = std::move(context);
  return problem;
}

tensor::AnyTensor numbered(tensor::DType dtype, const tensor::Shape& shape) {
  tensor::AnyTensor tensor(dtype, shape);
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 251);
  tensor.write(0, tensor.size(), values.data());
  return tensor;
}

/// The address that kernel.h gives an element, from its text and nothing else.
Index kernel_h_offset(const Layout& layout, const tensor::Shape& at) {
  if (layout.block_table.empty()) {
    Index offset = 0;
    for (std::size_t axis = 0; axis < at.size(); ++axis) offset += at[axis] * layout.strides[axis];
    return offset;
  }
  const Index page = layout.block_table[static_cast<std::size_t>(at[0] * layout.blocks_per_row + at[1] / layout.page_size)];
  REQUIRE(page < layout.pages);
  Index offset = page * layout.page_stride + at[1] % layout.page_size * layout.strides[1];
  for (std::size_t axis = 2; axis < at.size(); ++axis) offset += at[axis] * layout.strides[axis];
  return offset;
}

double value_at(const Layout& layout, const std::vector<std::byte>& buffer, Index element) {
  const tensor::AnyTensor view(layout.dtype, {layout.span}, buffer.data(), nullptr);
  return view.at(element);
}

struct Case {
  const char* name;
  tensor::Shape shape;
  LayoutKind layout;
  Index page_size = 0;
};

}  // namespace

TEST_CASE("elements lie where kernel.h says, poison everywhere else") {
  const std::vector<Index> context{5, 0, 13, 8};
  const std::vector<Case> cases{{"c", {4, 13, 6}, LayoutKind::contiguous},
                                {"c", {4, 13, 6}, LayoutKind::strided},
                                {"c", {4, 13, 6}, LayoutKind::paged, 4},
                                {"c", {4, 13, 6}, LayoutKind::paged, 1},
                                {"c", {4, 13, 6}, LayoutKind::paged, 64},
                                {"k_hat", {4, 13, 2, 3}, LayoutKind::paged, 5},
                                {"k_hat", {4, 13, 2, 3}, LayoutKind::strided},
                                {"logits", {4, 2, 3, 13}, LayoutKind::contiguous},
                                {"logits", {4, 2, 3, 13}, LayoutKind::strided},
                                {"w_k", {2, 6, 5}, LayoutKind::strided},
                                {"sink", {7}, LayoutKind::strided},
                                {"q_tilde", {4, 13, 2, 6}, LayoutKind::contiguous},
                                {"alpha_k", {4, 13, 1}, LayoutKind::contiguous},
                                {"c", {4, 13, 0}, LayoutKind::paged, 4}};
  const Problem problem = problem_of(context);
  for (const Case& entry : cases) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      for (const tensor::DType dtype : {tensor::DType::f16, tensor::DType::bf16, tensor::DType::f32, tensor::DType::f64}) {
        Passed passed{
            .spec = {entry.name, entry.shape, problem::Role::key}, .dtype = dtype, .layout = entry.layout, .page_size = entry.page_size};
        const Layout layout = make_layout(passed, problem, seed);
        const Poison poison(seed);
        const tensor::AnyTensor tensor = numbered(dtype, entry.shape);
        std::vector<std::byte> buffer(layout.bytes());
        lay_out(layout, tensor, poison, buffer.data(), 4096, false);
        INFO(entry.name << " " << static_cast<int>(entry.layout) << " page " << entry.page_size << " seed " << seed);
        const int token = token_axis(entry.name);
        std::set<Index> used;
        for (Index flat = 0; flat < tensor.size(); ++flat) {
          const tensor::Shape at = tensor::unravel(entry.shape, flat);
          if (token >= 0 && at[static_cast<std::size_t>(token)] >= context[static_cast<std::size_t>(at[0])]) continue;
          const Index offset = kernel_h_offset(layout, at);
          REQUIRE((offset >= 0 && offset < layout.span));
          REQUIRE(used.insert(offset).second);
          REQUIRE(value_at(layout, buffer, offset) == tensor.at(flat));
          REQUIRE(logical_at(layout, static_cast<std::size_t>(offset) * tensor::size_of(dtype)) == flat);
        }
        for (Index offset = 0; offset < layout.span; ++offset)
          REQUIRE((used.contains(offset) || std::isnan(value_at(layout, buffer, offset))));
        if (entry.layout == LayoutKind::strided && entry.shape.size() > 1) REQUIRE(layout.span > tensor.size());
        // Table entries behind a row's context name no page.
        for (Index b = 0; b < 4 && !layout.block_table.empty(); ++b) {
          for (Index block = 0; block < layout.blocks_per_row; ++block) {
            const bool live = block * layout.page_size < context[static_cast<std::size_t>(b)];
            REQUIRE((layout.block_table[static_cast<std::size_t>(b * layout.blocks_per_row + block)] < layout.pages) == live);
          }
        }
      }
    }
  }
}

TEST_CASE("a wide pool's pages lie all over it, its gaps are written near them alone") {
  const Problem problem = problem_of({700, 0, 130});
  Passed passed{.spec = {"c", {3, 700, 6}, problem::Role::key}, .dtype = tensor::DType::bf16, .layout = LayoutKind::paged, .page_size = 4};
  Passed other = passed;
  other.spec = {"k_rope", {3, 700, 2}, problem::Role::key};
  constexpr Index kElements = Index{1} << 22;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const auto pools = wide_pools({passed, other}, kElements);
    const Layout layout = make_layout(passed, problem, seed, pools);
    CHECK(layout.wide);
    CHECK(layout.span >= kElements);
    CHECK(layout.resident_bytes() < layout.bytes());
    CHECK(make_layout(other, problem, seed, pools).block_table == layout.block_table);
    std::set<std::int32_t> pages;
    Index last_third = 0, live = 0;
    for (const std::int32_t page : layout.block_table) {
      if (page >= layout.pages) continue;
      CHECK(pages.insert(page).second);
      ++live, last_third += page >= layout.pages - layout.pages / 3 ? 1 : 0;
    }
    CHECK(live == 175 + 33);
    CHECK((last_third >= live / 3 && last_third < live));
    // What lies far from every page stays as it was.
    const Poison poison(seed);
    const tensor::AnyTensor tensor = numbered(passed.dtype, passed.spec.shape);
    std::vector<std::byte> buffer(layout.bytes());
    lay_out(layout, tensor, poison, buffer.data(), 4096, false);
    CHECK(first_change(layout, tensor, poison, buffer.data(), 4096) == layout.bytes());
    std::size_t untouched = 0;
    for (const std::byte byte : buffer) untouched += byte == std::byte{0} ? 1 : 0;
    CHECK(untouched > buffer.size() / 2);
    for (Index t = 0; t < 700; ++t) REQUIRE(value_at(layout, buffer, kernel_h_offset(layout, {0, t, 3})) == tensor.at(t * 6 + 3));
    // A byte behind a page is looked at.
    const auto behind = static_cast<std::size_t>(kernel_h_offset(layout, {0, 3, 5}) + 1) * 2;
    if (logical_at(layout, behind) >= 0) continue;
    buffer[behind] ^= std::byte{1};
    CHECK(first_change(layout, tensor, poison, buffer.data(), 4096) == behind);
  }
  // A kernel's own limit holds, for all that share its pages: here, no more than are needed.
  other.largest_pool = 4096;
  const auto limited = wide_pools({passed, other}, kElements);
  for (const Passed& tensor : {passed, other}) CHECK(!make_layout(tensor, problem, 1, limited).wide);
}

TEST_CASE("every changed byte of an input, and every gap of an output, is seen") {
  const Problem problem = problem_of({2, 3});
  for (const LayoutKind kind : {LayoutKind::contiguous, LayoutKind::strided, LayoutKind::paged}) {
    Passed passed{.spec = {"c", {2, 3, 4}, problem::Role::key}, .dtype = tensor::DType::bf16, .layout = kind};
    passed.page_size = kind == LayoutKind::paged ? 2 : 0;
    const Layout layout = make_layout(passed, problem, 3);
    const Poison poison(3);
    const tensor::AnyTensor tensor = numbered(passed.dtype, passed.spec.shape);
    std::vector<std::byte> buffer(layout.bytes());
    lay_out(layout, tensor, poison, buffer.data(), 256, false);
    REQUIRE(first_change(layout, tensor, poison, buffer.data(), 256) == layout.bytes());
    REQUIRE(first_gap_change(layout, poison, buffer.data(), 256) == layout.bytes());
    for (std::size_t byte = 0; byte < buffer.size(); ++byte) {
      buffer[byte] ^= std::byte{1};
      CHECK(first_change(layout, tensor, poison, buffer.data(), 256) == byte);
      const bool gap = logical_at(layout, byte) < 0;
      CHECK(first_gap_change(layout, poison, buffer.data(), 256) == (gap ? byte : layout.bytes()));
      buffer[byte] ^= std::byte{1};
    }
  }
}

TEST_CASE("outputs come back in logical order, and each unwritten element is found") {
  const Problem problem = problem_of({2, 3});
  for (const tensor::DType dtype : {tensor::DType::f16, tensor::DType::bf16, tensor::DType::f32, tensor::DType::f64}) {
    for (const LayoutKind kind : {LayoutKind::contiguous, LayoutKind::strided}) {
      const Passed passed{.spec = {"k_hat", {2, 3, 1, 700}, problem::Role::key}, .dtype = dtype, .layout = kind};
      const Layout layout = make_layout(passed, problem, 7);
      const Poison poison(9, PoisonKind::unwritten);
      std::vector<std::byte> buffer(layout.bytes());
      poison.fill(buffer.data(), buffer.size(), 512);
      const tensor::AnyTensor tensor = numbered(dtype, passed.spec.shape);
      std::vector<std::byte> bytes(tensor.byte_size(), std::byte{0xa5});
      CHECK(gather(layout, poison, buffer.data(), 512, bytes.data()) == 0);
      lay_out(layout, tensor, poison, buffer.data(), 512, true);
      CHECK(gather(layout, poison, buffer.data(), 512, bytes.data()) == -1);
      const tensor::AnyTensor whole(dtype, passed.spec.shape, bytes.data(), nullptr);
      for (Index flat = 0; flat < tensor.size(); ++flat) {
        const bool past = flat >= 2 * 700 && flat < 3 * 700;
        REQUIRE(whole.at(flat) == (past ? 0 : tensor.at(flat)));
      }
      // One element left out at a time; those past the context may stay as they were.
      for (Index flat = 0; flat < tensor.size(); flat += 37) {
        if (flat >= 2 * 700 && flat < 3 * 700) continue;
        const tensor::Shape at = tensor::unravel(passed.spec.shape, flat);
        const auto byte = static_cast<std::size_t>(kernel_h_offset(layout, at)) * tensor::size_of(dtype);
        std::vector<std::byte> partly = buffer;
        poison.fill(partly.data() + byte, tensor::size_of(dtype), 512 + byte);
        REQUIRE(gather(layout, poison, partly.data(), 512, bytes.data()) == flat);
      }
    }
  }
}

TEST_CASE("poison is NaN in every format and never what arithmetic makes of NaN") {
  for (const PoisonKind kind : {PoisonKind::unreadable, PoisonKind::unwritten}) {
    std::vector<std::byte> bytes(std::size_t{3} << 16);
    Poison(11, kind).fill(bytes.data(), bytes.size(), 0);
    const auto count = [&](tensor::DType dtype) { return static_cast<Index>(bytes.size() / tensor::size_of(dtype)); };
    for (const tensor::DType dtype : {tensor::DType::f16, tensor::DType::bf16, tensor::DType::f32, tensor::DType::f64}) {
      const tensor::AnyTensor view(dtype, {count(dtype)}, bytes.data(), nullptr);
      for (Index i = 0; i < view.size(); ++i) REQUIRE(std::isnan(view.at(i)));
    }
    for (std::size_t at = 0; at < bytes.size(); at += 2) {
      std::uint16_t word = 0;
      std::memcpy(&word, &bytes[at], 2);
      REQUIRE((word != 0x7fff && word != 0xfe00 && word != 0xffc0 && word != 0x7e00 && word != 0x7fc0));
    }
  }
}

TEST_CASE("fences surround every buffer, and a byte in them is seen with its place") {
  ArenaPlan plan;
  std::vector<Region> regions;
  for (const std::uint64_t bytes : {0, 1, 255, 256, 4095, 4096, 4097, 70001})
    for (const bool at_end : {false, true}) regions.push_back(plan.add(bytes, at_end));
  Arena arena(plan.bytes(), ArenaAccess::read_write);
  const Poison poison(5);
  for (const Region& region : regions) {
    CHECK(region.data % 256 == 0);
    CHECK(region.data - region.begin >= 4096);
    CHECK(region.begin + region.bytes - (region.data + region.data_bytes) >= 4096);
    fence(arena, region, poison);
    std::memset(arena.at(region.data), 0, region.data_bytes);
  }
  for (const Region& region : regions) CHECK(breach(arena, region, poison) == 0);
  for (const Region& region : regions) {
    for (const std::int64_t away : {1, 2, 255, 4096}) {
      std::byte* after = arena.at(region.data + region.data_bytes + static_cast<std::uint64_t>(away) - 1);
      *after ^= std::byte{0x10};
      CHECK(breach(arena, region, poison) == away);
      *after ^= std::byte{0x10};
      std::byte* before = arena.at(region.data - static_cast<std::uint64_t>(away));
      *before ^= std::byte{0x10};
      CHECK(breach(arena, region, poison) == -away);
      *before ^= std::byte{0x10};
    }
  }
}
