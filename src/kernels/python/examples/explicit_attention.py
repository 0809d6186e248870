"""Explicit attention in numpy, float32: every key is built from its latent, normalised and rotated, for all tokens and groups."""
import numpy as np
from absorbed_decode import softmax, visible
from equinorm_kernel import kernel


def normalise(x, gamma, norm):
    """x gamma / S(x) over the last axis."""
    if norm.scheme == "none":
        return x
    squares = np.sum(x * x, -1, keepdims=True)
    mean = squares / np.float32(x.shape[-1]) if norm.kind == "rms" else squares
    x = x / np.sqrt(mean + np.float32(norm.eps))
    if gamma is None:
        return x
    return x * (gamma + np.float32(1) if norm.weight == "zero_centred" else gamma)


def rotate(x, positions, cosine, sine, layout):
    """RoPE on the last axis of x [tokens, ..., d]; a token before the first one (position < 0) sees nothing and stays."""
    if layout == "none":
        return x
    half = x.shape[-1] // 2
    first, second = (slice(0, None, 2), slice(1, None, 2)) if layout == "interleaved" else (slice(0, half), slice(half, None))
    shape = (len(positions),) + (1,) * (x.ndim - 2) + (half,)
    turn_cos, turn_sin = (table[np.maximum(positions, 0)].reshape(shape) for table in (cosine, sine))
    turned = np.empty_like(x)
    turned[..., first] = x[..., first] * turn_cos - x[..., second] * turn_sin
    turned[..., second] = x[..., first] * turn_sin + x[..., second] * turn_cos
    return np.where((positions >= 0).reshape((-1,) + (1,) * (x.ndim - 1)), turned, x)


@kernel(name="explicit attention, numpy, fp32", path="explicit", stages=["cache_write", "query", "score", "softmax", "value"],
        outputs={"k_hat": "fp32", "q_hat": "fp32", "lse": "fp32", "o": "fp32"},
        precision={"storage": "fp32", "accumulate": "fp32", "statistics": "fp32"},
        requires={"attention": ["mla"], "start": ["latent"], "norm.scheme": ["blockwise", "none"]})
def run(c, q_content, w_k, w_v, context_lengths, problem, k_rope=None, q_rope=None, gamma_cq=None, gamma_ck=None, gamma_rq=None, gamma_rk=None,
        rope_cos=None, rope_sin=None, positions_q=None, positions_k=None, sink=None):
    batch, queries, heads, content = q_content.shape
    groups, tokens = w_k.shape[0], c.shape[1]
    group, width = np.arange(heads) * groups // heads, content + problem.rope_dim
    k_hat = np.zeros((batch, tokens, groups, width), np.float32)
    q_hat = np.zeros((batch, queries, heads, width), np.float32)
    o = np.zeros((batch, queries, heads, w_v.shape[2]), np.float32)
    lse = np.full((batch, heads, queries), -np.inf, np.float32)
    scale, cap, layout = np.float32(problem.scale), np.float32(problem.softcap), problem.rope.layout
    for b, length in enumerate(context_lengths):
        keys = np.einsum("tr,grc->tgc", c[b, :length], w_k, optimize=True)
        k_hat[b, :length, :, :content] = normalise(keys, gamma_ck, problem.norm)
        q_hat[b, :, :, :content] = normalise(q_content[b], gamma_cq, problem.norm)
        if problem.rope_dim > 0:
            key = normalise(k_rope[b, :length, None, :], gamma_rk, problem.norm)
            query = normalise(q_rope[b], gamma_rq, problem.norm)
            if layout != "none":
                key = rotate(key, positions_k[b, :length], rope_cos, rope_sin, layout)
                query = rotate(query, positions_q[b], rope_cos, rope_sin, layout)
            k_hat[b, :length, :, content:], q_hat[b, :, :, content:] = key, query
        logits = np.einsum("shd,thd->sht", q_hat[b], k_hat[b, :length][:, group], optimize=True) * scale
        if cap > 0:
            logits = cap * np.tanh(logits / cap)
        p, row_lse = softmax(logits, visible(problem, queries, length)[:, None, :], sink)
        values = np.einsum("tr,grv->tgv", c[b, :length], w_v, optimize=True)
        o[b] = np.einsum("sht,thv->shv", p, values[:, group], optimize=True)
        lse[b] = row_lse.T
    return {"k_hat": k_hat, "q_hat": q_hat, "lse": lse, "o": o}
