#!/usr/bin/env python3
"""Recomputes a problem's outputs by the explicit formula in 60-digit decimals and judges a certified reference by them.

    decimal_reference.py problem.json inputs.safetensors [reference.safetensors]

For every output NAME with a NAME.radius in the last file, each element must satisfy |exact - NAME| <= radius,
|exact - (NAME + NAME.lo)| <= radius and radius <= 2^-45 max(1, |NAME|), give or take 10^-50 max(1, |NAME|) for the decimals' own
rounding; equal infinities need radius 0. logits, lse and o must be there (and o_gated and y, if the problem has them). What the problem
leaves undefined (padding tokens) is not looked at.
Exit code 0: all hold; 1: some element does not, or something is missing; 2: bad input. Needs nothing but the standard library.
"""
import struct
import sys
from decimal import Decimal as D
from itertools import product as indices

from decimal_files import Array, BadInput, Problem, read_safetensors

MINUS_INFINITY = D("-Infinity")
RADIUS_LIMIT = D(2) ** -45
DECIMAL_ERROR = D(10) ** -50  # far above what rounding to 60 digits moves, far below any radius that matters


# ---- small linear algebra --------------------------------------------------------------------------------------------------------------


def dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), D(0))


def vector_times(vector, matrix):
    """vector [n] times matrix (n lists of m)."""
    out = [D(0)] * len(matrix[0])
    for x, row in zip(vector, matrix, strict=True):
        out = [o + x * w for o, w in zip(out, row)]
    return out


def chunks(flat, width):
    return [flat[i:i + width] for i in range(0, len(flat), width)]


# ---- the formula -----------------------------------------------------------------------------------------------------------------------


class Formula:
    """The explicit path; every method follows one stage. Outputs are Arrays in self.out; None marks what the problem leaves undefined."""

    def __init__(self, problem, tensors):
        self.p, self.tensors, self.out = problem, tensors, {}
        self.matrices, self.weights = {}, {}

    def tensor(self, name):
        if name not in self.tensors:
            raise BadInput(f"tensor {name} is missing")
        return self.tensors[name]

    def matrix(self, name, *leading):
        key = (name, *leading)
        if key not in self.matrices:
            array = self.tensor(name)
            self.matrices[key] = [array.vector(*leading, i) for i in range(array.shape[-2])]
        return self.matrices[key]

    # project: hidden state or latent -> raw heads

    def hidden(self, row, token):
        return self.tensor("x").vector(row, token)

    def rms_normed(self, z, gamma):
        """The latents' own RMSNorm: always rms, always gamma as it stands."""
        if not self.p.norm["latent_norm"]:
            return z
        s = (dot(z, z) / len(z) + self.p.eps).sqrt()
        return [value * g / s for value, g in zip(z, self.tensor(gamma).vector(), strict=True)]

    def raw_query(self, row, query):
        """[(content, rope)] per head, or None if x has no such token. gqa keeps the whole head as content."""
        p, heads = self.p, range(self.p.heads)
        if p.from_x:
            token = p.lengths[row] - p.S + query
            if token < 0:
                return None
            z = self.hidden(row, token)
            if not p.mla:
                return [(q, []) for q in chunks(vector_times(z, self.matrix("w_q")), p.d)]
            if p.query_latent:
                z = self.rms_normed(vector_times(z, self.matrix("w_dq")), "gamma_q_latent")
            return [(q[:p.content_dim], q[p.content_dim:]) for q in chunks(vector_times(z, self.matrix("w_uq")), p.d)]
        if not p.mla:
            return [(self.tensor("q").vector(row, query, h), []) for h in heads]
        ropes = [self.tensor("q_rope").vector(row, query, h) if p.rope_dim else [] for h in heads]
        return [(self.tensor("q_content").vector(row, query, h), ropes[h]) for h in heads]

    def raw_token(self, row, token):
        """(contents per group, rope, values per group, latent) of a cached token."""
        p, groups = self.p, range(self.p.groups)
        if not p.mla:
            if p.from_x:
                x = self.hidden(row, token)
                return chunks(vector_times(x, self.matrix("w_k")), p.d), [], chunks(vector_times(x, self.matrix("w_v")), p.value_dim), None
            k, v = self.tensor("k"), self.tensor("v")
            return [k.vector(row, token, g) for g in groups], [], [v.vector(row, token, g) for g in groups], None
        if p.from_x:
            x = self.hidden(row, token)
            c = self.rms_normed(vector_times(x, self.matrix("w_dkv")), "gamma_kv_latent")
            rope = vector_times(x, self.matrix("w_kr")) if p.rope_dim else []
        else:
            c, rope = self.tensor("c").vector(row, token), self.tensor("k_rope").vector(row, token) if p.rope_dim else []
        contents = [vector_times(c, self.matrix("w_k", g)) for g in groups]
        return contents, rope, [vector_times(c, self.matrix("w_v", g)) for g in groups], c

    # norm

    def inverse(self, *parts):
        """1 / S of the values of all parts together."""
        values = [v for part in parts for v in part]
        if not values:
            return D(1)
        total = dot(values, values)
        return 1 / ((total / len(values) if self.p.norm["kind"] == "rms" else total) + self.p.eps).sqrt()

    def gamma(self, name, width, piece=0):
        """The `piece`-th run of `width` weights of a gamma tensor, as factors."""
        if self.p.norm["scheme"] == "none" or self.p.norm["weight"] == "none" or width == 0:
            return [D(1)] * width
        if name not in self.weights:
            values = self.tensor(name).vector()
            self.weights[name] = [1 + v for v in values] if self.p.norm["weight"] == "zero_centred" else values
        return self.weights[name][piece * width:(piece + 1) * width]

    def gammas(self, side, head):
        """(content, rope) weights of head or group `head`."""
        p, scheme = self.p, self.p.norm["scheme"]
        if not p.mla:
            return self.gamma("gamma_" + side, p.d, head if scheme == "full_width" else 0), []
        if scheme == "unified":
            whole = self.gamma("gamma_" + side, p.d)
            return whole[:p.content_dim], whole[p.content_dim:]
        wide = scheme == "full_width"
        return (self.gamma("gamma_c" + side, p.content_dim, head if wide else 0),
                self.gamma("gamma_r" + side, p.rope_dim, head if wide and side == "q" else 0))

    def inverses(self, heads, rope_is_shared):
        """[(content, rope)] inverse statistics per head of one token."""
        scheme = self.p.norm["scheme"]
        if scheme == "none":
            return [(D(1), D(1)) for _ in heads]
        if scheme == "full_width":
            rope = self.inverse(heads[0][1]) if rope_is_shared else self.inverse(*[r for _, r in heads])
            return [(self.inverse(*[c for c, _ in heads]), rope)] * len(heads)
        if scheme == "unified":
            return [(self.inverse(c, r),) * 2 for c, r in heads]
        if scheme not in ("blockwise", "per_head"):
            raise BadInput(f"norm.scheme is {scheme}, which has no formula here")
        return [(self.inverse(c), self.inverse(r)) for c, r in heads]

    # rope

    def turned(self, z, position):
        layout = self.p.rope["layout"]
        if layout == "none" or not z:
            return z
        if position < 0:
            return [None] * len(z)
        half = len(z) // 2
        cos, sin = self.tensor("rope_cos").vector(position), self.tensor("rope_sin").vector(position)
        first, second = (z[0::2], z[1::2]) if layout == "interleaved" else (z[:half], z[half:])
        a = [x * c - y * s for x, y, c, s in zip(first, second, cos, sin, strict=True)]
        b = [y * c + x * s for x, y, c, s in zip(first, second, cos, sin, strict=True)]
        return [v for pair in zip(a, b) for v in pair] if layout == "interleaved" else a + b

    def rotated(self, content, rope, position):
        """The head after RoPE, content first."""
        p = self.p
        if p.mla:
            return content + self.turned(rope, position)
        n = p.rope_dim if p.rope["layout"] != "none" else 0
        if p.rope["part"] == "last":
            return content[:p.d - n] + self.turned(content[p.d - n:], position)
        return self.turned(content[:n], position) + content[n:]

    def position(self, side, row, index):
        name = "positions_" + side
        if name in self.tensors:
            return int(self.tensors[name][row, index])
        return index if side == "k" else self.p.lengths[row] - self.p.S + index

    def hats(self, side, row, index, heads, normalised=True):
        """Normalised (or only weighted), rotated heads; and their content inverse statistics."""
        stats = self.inverses(heads, side == "k") if normalised else [(D(1), D(1))] * len(heads)
        position, hats = self.position(side, row, index), []
        for number, ((content, rope), (inverse_c, inverse_r)) in enumerate(zip(heads, stats)):
            gamma_c, gamma_r = self.gammas(side, number)
            hats.append(self.rotated([z * g * inverse_c for z, g in zip(content, gamma_c, strict=True)],
                                     [z * g * inverse_r for z, g in zip(rope, gamma_r, strict=True)], position))
        return hats, [inverse for inverse, _ in stats]

    # attention

    def logit(self, q, k, scale):
        if None in q:
            raise BadInput("a query that sees keys has a negative position")
        value = scale * dot(q, k)
        if self.p.cap:
            e = (-2 * abs(value) / self.p.cap).exp()
            value = (self.p.cap * (1 - e) / (1 + e)).copy_sign(value)
        return value

    def attend(self, row, query, head, hat, tokens):
        """(logits, p, lse) of one query head over all T columns."""
        p, scale = self.p, self.scale
        keys = [token["k_hat"][head * p.groups // p.heads] for token in tokens]
        logits = [self.logit(hat, key, scale) if p.sees(row, query, t) else MINUS_INFINITY for t, key in enumerate(keys)]
        logits += [MINUS_INFINITY] * (p.T - len(logits))
        sink = [self.tensor("sink")[head,]] if p.sink else []
        live = [v for v in logits if v != MINUS_INFINITY] + sink
        if not live:
            return logits, [D(0)] * p.T, MINUS_INFINITY
        top = max(live)
        total = sum((v - top).exp() for v in live)
        return logits, [(v - top).exp() / total if v != MINUS_INFINITY else D(0) for v in logits], top + total.ln()

    def gated(self, row, query, head, o):
        gate = self.tensor("gate").vector(row, query)[head * self.p.value_dim:(head + 1) * self.p.value_dim]
        return [v / (1 + (-g).exp()) if g > 0 else v * g.exp() / (1 + g.exp()) for v, g in zip(o, gate, strict=True)]

    def put(self, name, index, values):
        for j, value in enumerate(values):
            self.results.setdefault(name, {})[(*index, j)] = value

    def run(self):
        """Fills and returns {name: Array}."""
        p, self.results, self.scale = self.p, {}, self.p.logit_scale()
        for row in range(p.batch):
            tokens = []
            for t in range(p.lengths[row]):
                contents, rope, values, latent = self.raw_token(row, t)
                heads = [(c, rope) for c in contents]
                hats, alphas = self.hats("k", row, t, heads)
                tokens.append({"k_hat": hats, "v": values, "c": latent})
                weighted = self.hats("k", row, t, heads, normalised=False)[0]
                if p.mla:
                    self.put("k_rope_cached", (row, t), (weighted if p.norm["scheme"] == "unified" else hats)[0][p.content_dim:])
                self.put("alpha_k", (row, t), alphas[:1] if p.norm["scheme"] == "full_width" else alphas)
                for g in range(p.groups):
                    self.put("k_hat", (row, t, g), hats[g])
                    self.put("k_deferred", (row, t, g), weighted[g])
            for i in range(p.S):
                self.run_query(row, i, tokens)
        return self.arrays()

    def run_query(self, row, i, tokens):
        p, raw, concat = self.p, self.raw_query(row, i), []
        hats, alphas = self.hats("q", row, i, raw) if raw else ([None] * p.heads, [])
        self.put("alpha_q", (row, i), alphas)
        for h in range(p.heads):
            group = h * p.groups // p.heads
            logits, weights, lse = self.attend(row, i, h, hats[h], tokens)
            o = [sum((w * t["v"][group][j] for w, t in zip(weights, tokens)), D(0)) for j in range(p.value_dim)]
            self.put("logits", (row, h, i), logits)
            self.put("p", (row, h, i), weights)
            self.results.setdefault("lse", {})[row, h, i] = lse
            self.put("q_hat", (row, i, h), hats[h] or [])
            self.put("q_rope_hat", (row, i, h), (hats[h] or [])[p.content_dim:])
            self.put("o", (row, i, h), o)
            if p.mla:
                self.put("u", (row, i, h), [sum((w * t["c"][m] for w, t in zip(weights, tokens)), D(0)) for m in range(p.latent)])
                self.put("q_tilde", (row, i, h), self.absorbed(raw[h][0], h, group) if raw else [])
            if p.output_gate:
                o = self.gated(row, i, h, o)
                self.put("o_gated", (row, i, h), o)
            concat += o
        if p.model_dim:
            self.put("y", (row, i), vector_times(concat, self.matrix("w_o")))

    def absorbed(self, content, head, group):
        """q~ = (q gamma_cq gamma_ck) W_K^T, without alpha_q and scale."""
        weighted = [z * a * b for z, a, b in zip(content, self.gammas("q", head)[0], self.gammas("k", group)[0], strict=True)]
        return [dot(weighted, row) for row in self.matrix("w_k", group)]

    def arrays(self):
        p = self.p
        B, S, T, H, G = p.batch, p.S, p.T, p.heads, p.groups
        shapes = {"logits": [B, H, S, T], "p": [B, H, S, T], "lse": [B, H, S], "o": [B, S, H, p.value_dim], "q_hat": [B, S, H, p.d],
                  "k_hat": [B, T, G, p.d], "alpha_q": [B, S, H], "alpha_k": [B, T, 1 if p.norm["scheme"] == "full_width" else G]}
        if p.mla:
            shapes["u"] = shapes["q_tilde"] = [B, S, H, p.latent]
            shapes["q_rope_hat"], shapes["k_rope_cached"] = [B, S, H, p.rope_dim], [B, T, p.rope_dim]
        else:
            shapes["k_deferred"] = [B, T, G, p.d]
        if p.output_gate:
            shapes["o_gated"] = shapes["o"]
        if p.model_dim:
            shapes["y"] = [B, S, p.model_dim]
        return {name: Array(shape, [self.results.get(name, {}).get(index) for index in indices(*map(range, shape))])
                for name, shape in shapes.items()}


# ---- judging ---------------------------------------------------------------------------------------------------------------------------


class Judgement:
    """The worst of one output's elements."""

    def __init__(self, name):
        self.name, self.elements, self.failures = name, 0, 0
        self.worst_ratio = self.worst_relative_lo = D(0)
        self.worst_text = ""

    def element(self, index, exact, value, lo, radius):
        self.elements += 1
        if exact == MINUS_INFINITY or value == MINUS_INFINITY:
            good, ratio = value == exact and radius == 0, D(0)
        elif not (value.is_finite() and lo.is_finite() and radius.is_finite()):
            good, ratio = False, D(0)
        else:
            error, error_lo, size = abs(value - exact), abs(value + lo - exact), max(D(1), abs(value))
            limit = radius + DECIMAL_ERROR * size
            good = error <= limit and error_lo <= limit and radius <= RADIUS_LIMIT * size
            ratio = error / radius if radius else D(0)
            self.worst_relative_lo = max(self.worst_relative_lo, error_lo / size)
        if not good:
            self.failures += 1
        if (not good and self.failures == 1) or (good and not self.failures and ratio >= self.worst_ratio):
            self.worst_text = f"{list(index)}: value {value:.17g} radius {radius:.3g} exact {exact:.25g}"
        self.worst_ratio = max(self.worst_ratio, ratio)

    def line(self):
        lo = f"2^{float(self.worst_relative_lo.log10()) / 0.30103:.1f}" if self.worst_relative_lo else "0"
        state = f"{self.failures} FAIL" if self.failures else "ok"
        return (f"{self.name:13} {self.elements:8} elements, worst |NAME - exact| / radius {float(self.worst_ratio):.4f}, "
                f"relative error with .lo {lo}: {state}; {self.worst_text}")


def judge(name, exact, tensors):
    value, radius = tensors[name], tensors[name + ".radius"]
    if value.shape != exact.shape or radius.shape != exact.shape:
        raise BadInput(f"{name} has shape {value.shape}, radius {radius.shape}; expected {exact.shape}")
    lo = tensors.get(name + ".lo", Array(exact.shape, [0.0] * len(exact.values)))
    judgement = Judgement(name)
    for index in indices(*map(range, exact.shape)):
        if exact[index] is not None:
            judgement.element(index, exact[index], value[index], lo[index], radius[index])
    return judgement


def main(arguments):
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    problem = Problem(arguments[0])
    inputs = read_safetensors(arguments[1])
    certified = read_safetensors(arguments[2]) if len(arguments) == 3 else inputs
    exact = Formula(problem, inputs).run()
    wanted = ["logits", "lse", "o"] + ["o_gated"] * bool(problem.output_gate) + ["y"] * bool(problem.model_dim)
    failed = False
    for name in exact:
        if name in certified and name + ".radius" in certified:
            judgement = judge(name, exact[name], certified)
            print(judgement.line())
            failed |= judgement.failures > 0
        elif name in wanted:
            print(f"{name:13} missing, or without {name}.radius: FAIL")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BadInput, OSError, KeyError, ValueError, ArithmeticError, struct.error) as error:
        print(f"decimal_reference.py: {error}", file=sys.stderr)
        sys.exit(2)
