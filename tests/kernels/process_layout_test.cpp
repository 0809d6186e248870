// What a program finds in its file of inputs where layouts are declared: pools with tables, buffers with strides.
#include <catch2/catch.hpp>
#include <fstream>

#include "kernels/process_helpers.hpp"

using namespace equinorm;
using namespace equinorm::kernels;
using namespace equinorm::kernels::testing;

TEST_CASE("paged tensors come as a pool and a table") {
  const Folder folder;
  const fs::path script = folder.path() / "paged";
  std::ofstream(script) << R"(#!/usr/bin/env python3
import json, struct, sys
if sys.argv[1] == "describe":
    print('{"equinorm": 1, "name": "paged", "path": "absorbed", "stages": ["score", "softmax", "value"], "outputs": {"lse": {"dtype": "fp32"}},'
          ' "inputs": {"c": {"layout": "paged", "page_size": 2}, "k_rope_cached": {"layout": "paged", "page_size": 2}}}')
else:
    request = json.load(open(sys.argv[2]))
    blob = open(request["inputs"], "rb").read()
    (size,) = struct.unpack_from("<Q", blob)
    header = json.loads(blob[8:8 + size])
    def data(name, code):
        begin, end = header[name]["data_offsets"]
        return [v for (v,) in struct.iter_unpack(code, blob[8 + size + begin:8 + size + end])]
    table, pool = data("c.block_table", "<i"), data("c", "<H")
    pages = header["c"]["shape"][0]
    seen = {page for page in table if page < pages}
    good = (header["c"]["shape"][1:] == [2, 8] and header["c.block_table"]["shape"] == [2, 3] and len(seen) == 5 and pages > 5
            and table == data("k_rope_cached.block_table", "<i") and sum(not 0 <= page < pages for page in table) == 1)
    for row, length in enumerate([5, 3]):
        for token in range(length):
            slot = table[row * 3 + token // 2] * 2 + token % 2
            good &= all(value == 0x3e80 for value in pool[8 * slot:8 * slot + 8])  # 0.25
    good &= sum(value == 0x3e80 for value in pool) == 64 and sum(value & 0x7fff > 0x7f80 for value in pool) == len(pool) - 64
    print(json.dumps({"status": "failed", "message": "as it should be" if good else f"table {table}, {header}"}))
)";
  fs::permissions(script, fs::perms(0755));
  const auto runner = open_process(script, limits(20));
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Problem problem = with_declared_precision(runner->declaration(), small_problem());
    Request request = request_for(*runner, problem, limits(20));
    request.layout_seed = seed;
    CHECK(runner->run(request).detail == "\"as it should be\"");
  }
}

TEST_CASE("strided tensors come as their buffer, with their strides in the request") {
  const Folder folder;
  const fs::path script = folder.path() / "strided";
  std::ofstream(script) << R"(#!/usr/bin/env python3
import json, struct, sys
if sys.argv[1] == "describe":
    print('{"equinorm": 1, "name": "strided", "path": "absorbed", "stages": ["score", "softmax", "value"], "outputs": {"lse": {"dtype": "fp32"}},'
          ' "inputs": {"c": {"layout": "strided"}}}')
else:
    request = json.load(open(sys.argv[2]))
    blob = open(request["inputs"], "rb").read()
    (size,) = struct.unpack_from("<Q", blob)
    header = json.loads(blob[8:8 + size])
    begin, end = header["c"]["data_offsets"]
    buffer = [v for (v,) in struct.iter_unpack("<H", blob[8 + size + begin:8 + size + end])]
    placed = request["strided"]["c"]
    strides = placed["strides"]
    good = placed["shape"] == [2, 5, 8] and strides[2] == 1 and strides[1] > 8 and strides[0] > 5 * strides[1] and list(request["strided"]) == ["c"]
    live = {b * strides[0] + t * strides[1] + j for b, length in enumerate([5, 3]) for t in range(length) for j in range(8)}
    for at, value in enumerate(buffer):
        good &= value == 0x3e80 if at in live else value & 0x7fff > 0x7f80  # 0.25, NaN
    print(json.dumps({"status": "failed", "message": "as it should be" if good and max(live) < len(buffer) else f"{placed}, {header}"}))
)";
  fs::permissions(script, fs::perms(0755));
  const auto runner = open_process(script, limits(20));
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Problem problem = with_declared_precision(runner->declaration(), small_problem());
    Request request = request_for(*runner, problem, limits(20));
    request.layout_seed = seed;
    CHECK(runner->run(request).detail == "\"as it should be\"");
  }
}
