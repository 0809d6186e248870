"""What decimal_reference.py reads: safetensors files and problem files, exactly, with the standard library alone."""
import decimal
import json
import struct
from decimal import Decimal as D

decimal.setcontext(decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX,
                                   traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]))


class BadInput(Exception):
    """The problem or tensor file cannot be used."""


# ---- safetensors -----------------------------------------------------------------------------------------------------------------------


def bf16(raw):
    """bfloat16 is the upper half of a binary32."""
    return [v for (v,) in struct.iter_unpack("<f", b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2)))]


DECODERS = {"BF16": bf16}
for name_, code_ in {"F16": "e", "F32": "f", "F64": "d", "I64": "q", "I32": "i"}.items():
    DECODERS[name_] = lambda raw, code=code_: [v for (v,) in struct.iter_unpack("<" + code, raw)]


class Array:
    """A row-major tensor; values are floats as they stand in the file (exact), or Decimals, or None where nothing is defined."""

    def __init__(self, shape, values):
        self.shape, self.values = list(shape), values

    def __getitem__(self, index):
        flat = 0
        if len(index) != len(self.shape):
            raise BadInput(f"index {index} into shape {self.shape}")
        for i, n in zip(index, self.shape):
            if not 0 <= i < n:
                raise BadInput(f"index {index} outside shape {self.shape}")
            flat = flat * n + i
        value = self.values[flat]
        return value if isinstance(value, (D, int, type(None))) else D(value)

    def vector(self, *leading):
        """The last axis at the leading indices, as Decimals (a float converts exactly)."""
        return [self[(*leading, j)] for j in range(self.shape[-1])]


def read_safetensors(path):
    with open(path, "rb") as file:
        blob = file.read()
    (header_size,) = struct.unpack_from("<Q", blob)
    header = json.loads(blob[8:8 + header_size])
    data = memoryview(blob)[8 + header_size:]
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in DECODERS:
            raise BadInput(f"{path}: tensor {name} has dtype {entry['dtype']}")
        begin, end = entry["data_offsets"]
        arrays[name] = Array(entry["shape"], DECODERS[entry["dtype"]](bytes(data[begin:end])))
    return arrays


# ---- the problem file ------------------------------------------------------------------------------------------------------------------

DEFAULTS = {
    "attention": "mla", "start": "latent", "batch": 1, "queries": 1, "context": 4096, "heads": 16, "groups": 16, "latent": 512,
    "content_dim": 128, "rope_dim": 64, "value_dim": 128, "head_dim": 128, "model_dim": 0, "query_latent": 0, "norm": {}, "rope": {},
    "mask": {}, "scale": "default", "softcap": 0, "sink": False, "output_gate": False,
}
NORM_DEFAULTS = {"scheme": None, "kind": "rms", "weight": "plain", "eps": D("1e-6"), "latent_norm": False}
ROPE_DEFAULTS = {"layout": "interleaved", "theta": D(10000), "scaling": None, "part": "first"}
YARN_DEFAULTS = {"factor": D(1), "mscale": D(1)}


class Problem:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            given = json.load(file, parse_float=D)
        for key, value in {**DEFAULTS, **given}.items():
            setattr(self, key, value)
        self.mla = self.attention == "mla"
        self.from_x = self.start == "x"
        self.norm = {**NORM_DEFAULTS, **self.norm}
        self.norm["scheme"] = self.norm["scheme"] or ("blockwise" if self.mla else "per_head")
        self.eps = D(self.norm["eps"])
        self.rope = {**ROPE_DEFAULTS, **self.rope}
        self.mask = {"kind": "causal", "window": 0, **self.mask}
        lengths = self.context if isinstance(self.context, list) else [self.context]
        self.lengths = lengths * self.batch if len(lengths) == 1 else lengths
        self.S, self.T = self.queries, max(self.lengths)
        self.d = self.content_dim + self.rope_dim if self.mla else self.head_dim
        self.cap = D(self.softcap)

    def logit_scale(self):
        if self.scale != "default":
            return D(self.scale)
        scale = 1 / D(self.d).sqrt()
        scaling = self.rope["scaling"]
        if scaling and scaling["type"] == "yarn":
            yarn = {**YARN_DEFAULTS, **scaling}
            scale *= (D("0.1") * D(yarn["mscale"]) * D(yarn["factor"]).ln() + 1) ** 2
        return scale

    def sees(self, row, query, token):
        last = self.lengths[row] - self.S + query
        if self.mask["kind"] == "none":
            return True
        return token <= last and (self.mask["kind"] == "causal" or token > last - self.mask["window"])
