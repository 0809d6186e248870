#!/usr/bin/env python3
"""tests/python/decimal_reference.py must accept a problem worked out by hand and reject each planted fault.

    judge_sees_faults.py path/to/decimal_reference.py
"""
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

# One head, two keys, the problem of reference_test.cpp ("a blockwise problem worked out by hand"): logits 17/2 and 34/5.
PROBLEM = {"context": 2, "heads": 1, "groups": 1, "latent": 2, "content_dim": 2, "rope_dim": 2, "value_dim": 1, "norm": {"eps": 0.5},
           "scale": 1.5}
INPUTS = {
    "c": ([1, 2, 2], [4, -3, 7, -7]), "k_rope": ([1, 2, 2], [1, 4, 7, 0]),
    "q_content": ([1, 1, 1, 2], [9, 4]), "q_rope": ([1, 1, 1, 2], [4, 1]),
    "w_k": ([1, 2, 2], [1, 1, 0, 1]), "w_v": ([1, 2, 1], [1, 2]),
    "gamma_cq": ([2], [2, 1]), "gamma_ck": ([2], [1, 3]), "gamma_rq": ([2], [1, 2]), "gamma_rk": ([2], [0.5, 1]),
    "rope_cos": ([2, 1], [1, 0]), "rope_sin": ([2, 1], [0, 1]),
}
ODDS = math.exp(-1.7)
OUTPUTS = {
    "logits": ([1, 1, 1, 2], [8.5, 6.8]), "lse": ([1, 1, 1], [8.5 + math.log1p(ODDS)]), "o": ([1, 1, 1, 1], [(-2 - 7 * ODDS) / (1 + ODDS)]),
    "alpha_k": ([1, 2, 1], [1 / 3, 1 / 5]), "q_tilde": ([1, 1, 1, 2], [30, 12]),
}


def certified():
    tensors = {name: (shape, list(values)) for name, (shape, values) in OUTPUTS.items()}
    for name, (shape, values) in OUTPUTS.items():
        tensors[name + ".lo"] = (shape, [0.0] * len(values))
        tensors[name + ".radius"] = (shape, [2.0 ** -50] * len(values))
    return tensors


def bf16_bytes(values):
    return b"".join(struct.pack("<f", v)[2:] for v in values)


def write_safetensors(path, tensors, exact_in_16_bits):
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        dtype = "BF16" if name in exact_in_16_bits else "F64"
        raw = bf16_bytes(values) if dtype == "BF16" else struct.pack(f"<{len(values)}d", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def judge(script, folder, problem=None, inputs=None, outputs=None):
    """Exit code of the judge."""
    files = [folder / "problem.json", folder / "in.safetensors", folder / "out.safetensors"]
    files[0].write_text(json.dumps(problem or PROBLEM))
    write_safetensors(files[1], inputs or INPUTS, INPUTS)
    write_safetensors(files[2], outputs or certified(), {})
    return subprocess.run([sys.executable, script, *files], capture_output=True, check=False).returncode


def with_element(name, index, value):
    tensors = certified()
    tensors[name][1][index] = value
    return tensors


def main():
    script = sys.argv[1]
    o = OUTPUTS["o"][1][0]
    faults = {
        "logit off by 1e-12": {"outputs": with_element("logits", 1, 6.8 * (1 + 1e-12))},
        "logit minus infinity": {"outputs": with_element("logits", 0, -math.inf)},
        "NaN": {"outputs": with_element("o", 0, math.nan)},
        "NaN radius": {"outputs": with_element("lse.radius", 0, math.nan)},
        "low part wrong": {"outputs": with_element("o.lo", 0, o * 1e-9)},
        "radius too small": {"outputs": with_element("alpha_k.radius", 0, 0.0)},
        "radius useless": {"outputs": with_element("q_tilde.radius", 1, 1e-6)},
        "o missing": {"outputs": {name: tensor for name, tensor in certified().items() if not name.startswith("o")}},
        "window for causal": {"problem": {**PROBLEM, "mask": {"kind": "window", "window": 1}}},
        "norm left out": {"problem": {**PROBLEM, "norm": {"eps": 0.5, "scheme": "none"}}},
        "other eps": {"problem": {**PROBLEM, "norm": {"eps": 0.5000001}}},
        "a wide softcap": {"problem": {**PROBLEM, "softcap": 100000}},
        "another key": {"inputs": {**INPUTS, "k_rope": ([1, 2, 2], [1, 4, 7, 0.0078125])}},
    }
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if judge(script, folder) != 0:
            failures.append("the right outputs are rejected")
        failures += [f"not seen: {fault}" for fault, change in faults.items() if judge(script, folder, **change) != 1]
        if judge(script, folder, inputs={k: v for k, v in INPUTS.items() if k != "w_v"}) != 2:
            failures.append("a missing input does not end with code 2")
    print("\n".join(failures) or f"accepted the right outputs, saw {len(faults)} faults")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
