// The faulty kernel: its stages, its last one, and the faults of structure.
#include <cmath>
#include <csignal>
#include <ctime>
#include <vector>

#include "kernels/bundled/cpu/faulty/stages.hpp"

namespace equinorm::kernels::cpu::faulty {

void write_outputs(const Call& call, Index b) {
  const equinorm_problem& p = call.problem;
  const Index r = p.latent, d_v = p.value_dim;
  const Floats w_v = whole_tensor(call.view("w_v"));
  Floats all;
  for (Index s = 0; s < p.queries; ++s) {
    all.clear();
    for (Index h = 0; h < p.heads; ++h) {
      Floats u = floats(r), o = floats(d_v);
      call.view("u").load(u.data(), b, s, h);
      multiply_add(1, d_v, r, u.data(), r, w_v.data() + group(call, h) * r * d_v, d_v, o.data(), d_v);
      if (has("output-times-1.003") || has("output-zero")) {
        for (float& x : o) x *= has("output-zero") ? 0.0F : 1.003F;
      }
      const std::size_t at = d_v > 6 ? 5 : 0;
      if (has("one-element") && s == p.queries - 1 && h == 0 && d_v > 1) o[at] = o[at + 1];
      const bool skipped = has("unwritten-rows") && b == p.batch - 1 && s == p.queries - 1 && h == p.heads - 1;
      if (!skipped) call.view("o").store(o.data(), b, s, h);
      // What follows is made of the rounded o.
      if (!skipped) call.view("o").load(o.data(), b, s, h);
      all.insert(all.end(), o.begin(), o.end());
    }
    const Index width = p.heads * d_v;
    if (p.output_gate != 0) {
      for (Index i = 0; i < width; ++i) {
        const float gate = call.view("gate")(b, s, i);
        all[static_cast<std::size_t>(i)] *= static_cast<float>(1.0 / (1.0 + std::exp(-double{gate})));
        call.view("o_gated")(b, s, i / d_v, i % d_v) = all[static_cast<std::size_t>(i)];
      }
    }
    if (p.model_dim == 0) continue;
    const Floats w_o = whole_tensor(call.view("w_o"));
    Floats y = floats(p.model_dim);
    multiply_add(1, p.model_dim, width, all.data(), width, w_o.data(), p.model_dim, y.data(), p.model_dim);
    call.view("y").store(y.data(), b, s);
  }
}

namespace {

std::size_t bytes_of(const equinorm_tensor& t) {
  std::size_t count = t.dtype == EQUINORM_F32 ? 4 : 2;
  for (int axis = 0; axis < t.rank; ++axis) count *= static_cast<std::size_t>(t.shape[axis]);
  return count;
}

/// The outputs of the first call once more, whatever the inputs are by now.
void repeat_first_output(const Call& call) {
  static std::vector<char> first;
  const equinorm_tensor& o = call.view("o").raw();
  char* data = static_cast<char*>(o.data);
  if (first.size() != bytes_of(o)) {
    first.assign(data, data + bytes_of(o));
  } else {
    std::copy(first.begin(), first.end(), data);
  }
}

void structural_faults(const Call& call) {
  const equinorm_problem& p = call.problem;
  if (has("stale-output")) repeat_first_output(call);
  if (has("out-of-bounds-write")) {
    const equinorm_tensor& o = call.view("o").raw();
    static_cast<char*>(o.data)[bytes_of(o)] = 1;
  }
  if (has("input-changed")) static_cast<char*>(call.view("w_v").raw().data)[0] ^= 1;
  if (has("nondeterministic")) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    std::uint64_t state = static_cast<std::uint64_t>(now.tv_nsec) * 2 + 1;
    for (Index i = 0; i < p.latent; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      const float x = call.view("u")(0, 0, 0, i);
      if ((state >> 40 & 1U) != 0) call.view("u")(0, 0, 0, i) = std::nextafterf(x, 0.0F);
    }
  }
  if (has("crash")) std::raise(SIGSEGV);
  if (has("hang")) {
    for (volatile bool forever = true; forever;) {
    }
  }
}

void run(const Call& call) {
  for (Index b = 0; b < call.problem.batch; ++b) {
    write_keys(call, b);
    write_queries(call, b);
    attend(call, b);
    write_outputs(call, b);
  }
  structural_faults(call);
}

}  // namespace
}  // namespace equinorm::kernels::cpu::faulty

EQUINORM_KERNEL(equinorm::kernels::cpu::faulty::describe(), equinorm::kernels::no_workspace, equinorm::kernels::cpu::faulty::run)
