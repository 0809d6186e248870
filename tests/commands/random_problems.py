"""Random small problems with input files, written from the contract of the problem file alone."""
import math
import random

from support import rounded

DTYPES = ("BF16", "F16", "F32", "F64")
MLA_SCHEMES = ("blockwise", "unified", "full_width", "none")
GQA_SCHEMES = ("per_head", "full_width", "none")


class Dice(random.Random):
    def chance(self, probability):
        return self.random() < probability


def random_norm(dice, mla):
    scheme = dice.choice(MLA_SCHEMES if mla else GQA_SCHEMES)
    return {"scheme": scheme, "kind": dice.choice(("rms", "rms", "l2")), "weight": dice.choice(("plain", "zero_centred", "none")),
            "eps": dice.choice((1e-6, 1e-5, 0.125))}


def random_rope(dice, problem):
    if problem["rope_dim"] == 0 or dice.chance(0.15):
        return {"layout": "none"}
    rope = {"layout": dice.choice(("interleaved", "half")), "theta": dice.choice((10000.0, 500000, 37.5))}
    if problem["attention"] == "gqa":
        rope["part"] = dice.choice(("first", "last"))
    if dice.chance(0.4):
        rope["scaling"] = dice.choice(({"type": "linear", "factor": 8},
                                       {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "original_context": 64, "mscale": 0.707}))
    return rope


def random_dims(dice, problem, mla):
    problem["groups"] = dice.choice((1, 2, 3))
    problem["heads"] = problem["groups"] * dice.choice((1, 2))
    problem["value_dim"] = dice.randint(1, 5)
    if mla:
        problem.update(latent=dice.randint(1, 7), content_dim=dice.randint(1, 6), rope_dim=dice.choice((0, 2, 4, 6)))
    else:
        problem["head_dim"] = dice.randint(2, 8)
        problem["rope_dim"] = dice.choice((0, 2, problem["head_dim"] // 2 * 2))


def random_mask(dice):
    kind = dice.choice(("causal", "causal", "window", "none"))
    return {"kind": kind, "window": dice.randint(1, 5)} if kind == "window" else {"kind": kind}


def random_problem(dice):
    """A problem and whether its inputs give positions."""
    mla = dice.chance(0.65)
    problem = {"name": "random", "attention": "mla" if mla else "gqa", "start": dice.choice(("latent", "latent", "x")),
               "batch": dice.randint(1, 3), "queries": dice.randint(1, 4)}
    from_x = problem["start"] == "x"
    shortest = problem["queries"] if from_x else 0
    problem["context"] = (dice.randint(max(1, shortest), 9) if dice.chance(0.5)
                          else [dice.choice((shortest, max(1, shortest), dice.randint(max(1, shortest), 9))) for _ in range(problem["batch"])])
    random_dims(dice, problem, mla)
    if from_x or dice.chance(0.3):
        problem["model_dim"] = dice.randint(1, 6)
    problem["norm"], problem["mask"] = random_norm(dice, mla), random_mask(dice)
    problem["rope"] = random_rope(dice, problem)
    if from_x and mla:
        problem["query_latent"] = dice.choice((0, 5))
        problem["norm"]["latent_norm"] = dice.chance(0.6)
    if dice.chance(0.3):
        problem["scale"] = dice.choice((1, 0.37, 2.5))
    if dice.chance(0.3):
        problem["softcap"] = dice.choice((1.5, 30))
    problem["sink"], problem["output_gate"] = dice.chance(0.3), dice.chance(0.3)
    problem["inputs"] = {"kind": "file", "path": "in.safetensors"}
    lengths = problem["context"] if isinstance(problem["context"], list) else [problem["context"]]
    short_row = problem["mask"]["kind"] == "none" and problem["rope"]["layout"] != "none" and problem["queries"] > min(lengths)
    return problem, short_row or dice.chance(0.3)


def input_shapes(problem):
    """{name: shape} of the floating-point inputs other than the RoPE tables."""
    p = {"model_dim": 0, "query_latent": 0, **problem}
    b, s, h, g, dv, m = p["batch"], p["queries"], p["heads"], p["groups"], p["value_dim"], p["model_dim"]
    t = max(p["context"]) if isinstance(p["context"], list) else p["context"]
    mla, from_x, norm = p["attention"] == "mla", p["start"] == "x", p["norm"]
    shapes = {}
    if mla:
        r, dc, dr, lq = p["latent"], p["content_dim"], p["rope_dim"], p["query_latent"]
        shapes.update(w_k=[g, r, dc], w_v=[g, r, dv])
        if from_x:
            shapes.update(x=[b, t, m], w_dkv=[m, r], w_uq=[lq or m, h * (dc + dr)])
            shapes.update({"w_kr": [m, dr]} if dr else {}, **({"w_dq": [m, lq]} if lq else {}))
            if norm.get("latent_norm"):
                shapes.update(gamma_kv_latent=[r], **({"gamma_q_latent": [lq]} if lq else {}))
        else:
            shapes.update(c=[b, t, r], q_content=[b, s, h, dc], **({"k_rope": [b, t, dr], "q_rope": [b, s, h, dr]} if dr else {}))
        width = dc + dr
    else:
        width = p["head_dim"]
        shapes.update({"x": [b, t, m], "w_q": [m, h * width], "w_k": [m, g * width], "w_v": [m, g * dv]} if from_x else
                      {"q": [b, s, h, width], "k": [b, t, g, width], "v": [b, t, g, dv]})
    if norm["scheme"] != "none" and norm["weight"] != "none":
        wide = norm["scheme"] == "full_width"
        if not mla or norm["scheme"] == "unified":
            shapes.update(gamma_q=[(h if wide else 1) * width], gamma_k=[(g if wide else 1) * width])
        else:
            shapes.update(gamma_cq=[(h if wide else 1) * dc], gamma_ck=[(g if wide else 1) * dc])
            shapes.update({"gamma_rq": [(h if wide else 1) * dr], "gamma_rk": [dr]} if dr else {})
    shapes.update({"sink": [h]} if p["sink"] else {}, **({"gate": [b, s, h * dv]} if p["output_gate"] else {}), **({"w_o": [h * dv, m]} if m else {}))
    return shapes


def drawn(dice, name, shape, dtype):
    spread = dice.choice((0.01, 1, 1, 30))
    centre = 1 if name.startswith("gamma") else 0
    values = [rounded(centre + dice.gauss(0, 0.3 if centre else spread), dtype) for _ in range(math.prod(shape))]
    if name in ("c", "k", "q", "x") and values and dice.chance(0.3):
        values[:shape[-1]] = [0.0] * shape[-1]  # a zero row
    return [v if abs(v) > 1e-4 else 0.0 for v in values]  # keeps fp16 values in its normal range


def random_inputs(dice, problem, with_positions):
    """{name: (dtype, shape, values)}."""
    b, s = problem["batch"], problem["queries"]
    lengths = problem["context"] if isinstance(problem["context"], list) else [problem["context"]]
    t = max(lengths)
    tensors = {}
    for name, shape in input_shapes(problem).items():
        dtype = dice.choice(DTYPES)
        tensors[name] = (dtype, shape, drawn(dice, name, shape, dtype))
    rows = max(1, t) + dice.randint(0, 3) if with_positions else max(1, t)
    if with_positions:
        tensors["positions_q"] = ("I64", [b, s], [dice.randrange(rows) for _ in range(b * s)])
        if dice.chance(0.5):
            tensors["positions_k"] = ("I64", [b, t], [dice.randrange(rows) for _ in range(b * t)])
    if problem["rope"]["layout"] != "none":
        pairs = problem["rope_dim"] // 2
        angles = [position * problem["rope"]["theta"] ** (-i / pairs) for position in range(rows) for i in range(pairs)]
        tensors["rope_cos"] = ("F32", [rows, pairs], [rounded(math.cos(angle), "F32") for angle in angles])
        tensors["rope_sin"] = ("F32", [rows, pairs], [rounded(math.sin(angle), "F32") for angle in angles])
    return tensors
