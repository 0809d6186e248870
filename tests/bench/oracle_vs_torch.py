"""Certified outputs beside uncertified ones: oracle_vs_torch.py BENCH [--context T ...] [--format F ...] [--repeat N].

BENCH is the program equinorm_bench_oracle. For each context, in turns within one run, the least of N times each, 2 threads:

- the oracle (u, lse and o with radii) on bf16, fp16 and fp32 inputs, at the first step and, `later`, with the keys' statistics kept;
- PyTorch float64 on the same shapes, explicit form, head by head: K = c W_K, rms norm, RoPE, logits, softmax, u = p c, o = u W_V;
- `blas`, which is the BLAS that NumPy loads (OpenBLAS where it is installed), double, the product c W_K of all heads alone.

16 heads and groups, r 512, d_c 128, d_r 64, d_v 128, one query. Clock times, and processor times over all threads, which
suffer less from other work on the machine; each with its ratio to torch's. Times do not depend on the data, which are Gaussian on both sides.
Prints `skipped: no torch` and exits with 0 where torch is missing.
"""
import argparse
import json
import os
import subprocess
import sys
import time

THREADS = 2
H, R, D_C, D_R, D_V, EPS = 16, 512, 128, 64, 128, 1e-6


def now():
    """Seconds by the clock, and of processor time over all threads."""
    return time.perf_counter(), time.process_time()


def since(start):
    return tuple(end - begin for end, begin in zip(now(), start))


def oracle_run(program, context, storage):
    """storage: bf16/first, bf16/later, ..."""
    environment = dict(os.environ, EQUINORM_BENCH_CONTEXT=str(context))
    words = [program, f"--benchmark_filter=/{storage}/", "--benchmark_format=json", "--benchmark_min_time=0.01"]
    text = subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout
    row = json.loads(text)["benchmarks"][0]
    return {"times": (row["real_time"] / 1e3, row["cpu_time"] / 1e3), "radius": row["radius_log2"], "peak": row["peak_GiB"]}


def torch_problem(torch, context):
    generator = torch.Generator().manual_seed(1)

    def normal(*shape, scale=1.0):
        return torch.randn(*shape, generator=generator, dtype=torch.float64) * scale

    angles = torch.arange(context, dtype=torch.float64)[:, None] * 10000.0 ** (-torch.arange(0, D_R, 2, dtype=torch.float64) / D_R)
    return {
        "c": normal(context, R), "k_rope": normal(context, D_R), "q_content": normal(H, D_C), "q_rope": normal(H, D_R),
        "w_k": normal(H, R, D_C, scale=R ** -0.5), "w_v": normal(H, R, D_V, scale=R ** -0.5),
        "gamma": [1 + normal(n, scale=0.1) for n in (D_C, D_R, D_C, D_R)], "cos": angles.cos(), "sin": angles.sin(),
    }


def torch_run(torch, p):
    def norm(x, gamma):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPS) * gamma

    def turn(x, cosine, sine):
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1).flatten(-2)

    gamma_cq, gamma_rq, gamma_ck, gamma_rk = p["gamma"]
    start = now()
    k_rope = turn(norm(p["k_rope"], gamma_rk), p["cos"], p["sin"])
    q_rope = turn(norm(p["q_rope"], gamma_rq), p["cos"][-1], p["sin"][-1])
    q_content = norm(p["q_content"], gamma_cq)
    logits = torch.empty(H, p["c"].shape[0], dtype=torch.float64)
    for h in range(H):
        k_content = norm(p["c"] @ p["w_k"][h], gamma_ck)
        logits[h] = (k_content @ q_content[h] + k_rope @ q_rope[h]) * (D_C + D_R) ** -0.5
    u = torch.softmax(logits, -1) @ p["c"]
    torch.einsum("hr,hrv->hv", u, p["w_v"])
    return since(start)


def blas_run(numpy, context):
    """c W_K in chunks of tokens, so that memory stays small."""
    chunk = min(context, 16384)
    c, w = numpy.random.default_rng(1).standard_normal((chunk, R)), numpy.random.default_rng(2).standard_normal((R, H * D_C))
    out = numpy.empty((chunk, H * D_C))
    start = now()
    for _ in range(context // chunk):
        numpy.matmul(c, w, out=out)
    return since(start)


def measure(torch, numpy, options, context):
    print(f"T = {context}, {THREADS} threads, least of {options.repeat} runs", flush=True)
    best, problem = {}, torch_problem(torch, context)
    rows = {}
    storages = [f"{storage}/{step}" for storage in options.format for step in ("first", "later")]
    for _ in range(options.repeat):
        times = {"torch": torch_run(torch, problem), "blas": blas_run(numpy, context)}
        for storage in storages:
            rows[storage] = oracle_run(options.program, context, storage)
            times[storage] = rows[storage]["times"]
        best = {name: tuple(map(min, pair, best.get(name, pair))) for name, pair in times.items()}
    print("                           clock s  ratio    cpu s  ratio")
    for name, pair in best.items():
        line = f"  {name:20}" + "".join(f"{mine:12.3f} {mine / its:6.2f}" for mine, its in zip(pair, best["torch"]))
        if name in rows:
            line += f"  radius 2^{rows[name]['radius']:.1f} of the largest |u| of the head, peak {rows[name]['peak']:.2f} GiB"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--context", type=int, nargs="+", default=[4096, 65536, 262144])
    parser.add_argument("--format", nargs="+", default=["bf16", "fp16", "fp32"])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(THREADS)
    try:
        import numpy
        import torch
    except ImportError as missing:
        print(f"skipped: no {missing.name}")
        return 0
    torch.set_num_threads(THREADS)
    for context in options.context:
        measure(torch, numpy, options, context)
    return 0


if __name__ == "__main__":
    sys.exit(main())
