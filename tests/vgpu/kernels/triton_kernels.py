"""Writes triton_NAME.sm_80.ptx and .sm_90.ptx of the kernels below: `pip install triton`, then `python3 triton_kernels.py`. Needs no GPU."""
import os
import re

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource


@triton.jit
def triton_rmsnorm(x, weight, out, dim, eps, BLOCK: tl.constexpr):
    """out = x / sqrt(mean x^2 + eps) * weight; one program a row."""
    row = tl.program_id(0)
    squares = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, dim, BLOCK):
        at = start + tl.arange(0, BLOCK)
        value = tl.load(x + row * dim + at, mask=at < dim, other=0.0)
        squares += value * value
    scale = 1.0 / tl.sqrt(tl.sum(squares, axis=0) / dim + eps)
    for start in range(0, dim, BLOCK):
        at = start + tl.arange(0, BLOCK)
        value = tl.load(x + row * dim + at, mask=at < dim, other=0.0)
        tl.store(out + row * dim + at, value * scale * tl.load(weight + at, mask=at < dim, other=0.0), mask=at < dim)


@triton.jit
def triton_decode(q, k, v, out, keys, scale_log2, ROWS: tl.constexpr, DIM: tl.constexpr, TILE: tl.constexpr):
    """out = softmax(scale q k^T) v for ROWS bf16 queries that share their keys; one program a group of queries."""
    group = tl.program_id(0)
    rows, columns, tile = tl.arange(0, ROWS), tl.arange(0, DIM), tl.arange(0, TILE)
    query = tl.load(q + group * ROWS * DIM + rows[:, None] * DIM + columns[None, :])
    k += group * keys * DIM
    v += group * keys * DIM
    largest = tl.full((ROWS,), float("-inf"), dtype=tl.float32)
    total = tl.zeros((ROWS,), dtype=tl.float32)
    sum = tl.zeros((ROWS, DIM), dtype=tl.float32)
    for start in range(0, keys, TILE):
        at = start + tile
        inside = at < keys
        key = tl.load(k + at[None, :] * DIM + columns[:, None], mask=inside[None, :], other=0.0)
        score = tl.dot(query, key) * scale_log2
        score = tl.where(inside[None, :], score, float("-inf"))
        new_largest = tl.maximum(largest, tl.max(score, axis=1))
        p = tl.exp2(score - new_largest[:, None])
        rescale = tl.exp2(largest - new_largest)
        total = total * rescale + tl.sum(p, axis=1)
        value = tl.load(v + at[:, None] * DIM + columns[None, :], mask=inside[:, None], other=0.0)
        sum = sum * rescale[:, None] + tl.dot(p.to(tl.bfloat16), value)
        largest = new_largest
    tl.store(out + group * ROWS * DIM + rows[:, None] * DIM + columns[None, :], sum / total[:, None])


KERNELS = {
    triton_rmsnorm: ({"x": "*fp32", "weight": "*fp32", "out": "*fp32", "dim": "i32", "eps": "fp32", "BLOCK": "constexpr"}, {"BLOCK": 128}),
    triton_decode: ({"q": "*bf16", "k": "*bf16", "v": "*bf16", "out": "*fp32", "keys": "i32", "scale_log2": "fp32", "ROWS": "constexpr",
                     "DIM": "constexpr", "TILE": "constexpr"}, {"ROWS": 16, "DIM": 64, "TILE": 32}),
}

for kernel, (signature, constants) in KERNELS.items():
    for target in (80, 90):
        # Addresses and lengths that are multiples of 16 become vector loads and asynchronous copies, as in a real launch.
        aligned = {(i,): [["tt.divisibility", 16]] for i, type in enumerate(signature.values()) if type.startswith("*")}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
        compiled = triton.compile(source, target=GPUTarget("cuda", target, 32), options={"num_warps": 4, "num_stages": 2})
        text = re.sub(r'(\.file[^"]*")[^"]*/([^"/]*")', r"\1\2", compiled.asm["ptx"])
        # Of the debugging sections only the names of inlined functions are kept: the others hold folders.
        text = re.sub(r"\t\.section\t\.debug_(?!str)[^{]*\{[^}]*\}\n", "", text)
        text = f"// Dynamic shared memory: {compiled.metadata.shared} bytes.\n" + text
        name = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{kernel.__name__}.sm_{target}.ptx")
        with open(name, "w") as file:
            file.write(text.rstrip() + "\n")
