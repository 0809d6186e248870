// Sums that take in a product. ptxas may make one fma of a mul and an add or sub without .rn: whether it does, the PTX does not say.
#include <algorithm>
#include <map>

#include "vgpu/program.hpp"

namespace equinorm::vgpu {
namespace {

/// Where a branch may arrive.
std::vector<bool> block_starts(const Program& program) {
  std::vector<bool> starts(program.code.size() + 1);
  for (std::size_t pc = 0; pc < program.code.size(); ++pc) {
    const Decoded& d = program.code[pc];
    if (d.flow == Flow::none) continue;
    starts[pc + 1] = true;
    if (d.flow == Flow::branch) starts[d.target] = true;
  }
  for (const std::vector<u32>& table : program.tables)
    for (const u32 target : table) starts[target] = true;
  return starts;
}

bool is_contracted(const Decoded& d, ShadowOp op) {
  return d.row >= 0 && d.shadow == op && rows()[static_cast<std::size_t>(d.row)].exactness == Exactness::contracted && d.guard == 0 &&
         d.flip == 0;
}

/// The fma that gives the sum d of a product and another operand; `is_first`: the product is the sum's first operand.
Decoded fused(const Decoded& d, const Decoded& product, bool is_first) {
  Decoded fma = d;
  const int row = match_opcode("fma.rn.f32").front().row;
  fma.row = row;
  fma.handler = handlers()[static_cast<std::size_t>(row)];
  fma.shadow = ShadowOp::fma;
  fma.slot[1] = product.slot[1];
  fma.slot[2] = product.slot[2];
  fma.slot[3] = d.slot[is_first ? 2 : 1];
  fma.slot_count = 4;
  fma.mode = static_cast<u8>(d.shadow == ShadowOp::add ? FmaSigns::none : is_first ? FmaSigns::minus_addend : FmaSigns::minus_product);
  return fma;
}

}  // namespace

std::size_t contract(Program& program, bool apply) {
  const std::vector<bool> starts = block_starts(program);
  std::map<u32, Decoded> products;  // by the slot of the result, as long as it and the factors hold
  std::size_t found = 0;
  for (std::size_t pc = 0; pc < program.code.size(); ++pc) {
    Decoded& d = program.code[pc];
    if (starts[pc]) products.clear();
    if (d.flow != Flow::none) continue;
    const bool is_product = is_contracted(d, ShadowOp::mul) && !d.sat;
    if (is_contracted(d, ShadowOp::add) || is_contracted(d, ShadowOp::sub)) {
      const auto first = products.find(d.slot[1]), second = products.find(d.slot[2]);
      const auto chosen = first != products.end() && first->second.ftz == d.ftz ? first : second;
      if (chosen != products.end() && chosen->second.ftz == d.ftz) {
        ++found;
        if (apply) d = fused(d, chosen->second, chosen == first);
      }
    }
    const u32* written = slots_of(d);
    for (u32 i = 0; i < d.results; ++i)
      std::erase_if(products, [slot = written[i]](const auto& one) {
        return one.first == slot || one.second.slot[1] == slot || one.second.slot[2] == slot;
      });
    if (is_product && d.slot[0] != d.slot[1] && d.slot[0] != d.slot[2]) products[d.slot[0]] = d;
  }
  return found;
}

}  // namespace equinorm::vgpu
