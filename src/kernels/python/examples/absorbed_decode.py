"""Absorbed attention in numpy, float32: every head attends to the latents themselves, one row of the batch at a time.

    equinorm check absorbed_decode.py
"""
import numpy as np
from equinorm_kernel import kernel

STAGES = ["score", "softmax", "value"]


def visible(problem, queries, context):
    """[S,T]: which tokens each query sees; queries are the last ones of the context."""
    last = (context - queries + np.arange(queries))[:, None]
    token = np.arange(context)[None, :]
    if problem.mask.kind == "none":
        return np.ones((queries, context), bool)
    return (token <= last) & ((problem.mask.kind == "causal") | (token > last - problem.mask.window))


def softmax(logits, seen, sink):
    """p [S,H,T] and lse [S,H] of logits [S,H,T] where `seen`; a row that sees nothing has p = 0 and lse = -inf."""
    logits = np.where(seen, logits, -np.inf)
    top = np.max(logits, axis=-1, initial=-np.inf)
    if sink is not None:
        top = np.maximum(top, sink)
    finite = np.where(np.isfinite(top), top, 0)
    p = np.exp(logits - finite[..., None])
    total = p.sum(-1)
    if sink is not None:
        total += np.exp(sink - finite)
    with np.errstate(divide="ignore"):
        return p / np.where(total > 0, total, 1)[..., None], finite + np.log(total)


def decode(c, q_tilde, context_lengths, problem, alpha_k=None, alpha_q=None, k_rope_cached=None, q_rope_hat=None, sink=None):
    """u [B,S,H,r] and lse [B,H,S]."""
    batch, queries, heads, latent = q_tilde.shape
    u = np.zeros((batch, queries, heads, latent), np.float32)
    lse = np.full((batch, heads, queries), -np.inf, np.float32)
    scale, cap = np.float32(problem.scale), np.float32(problem.softcap)
    for b, length in enumerate(context_lengths):
        latents = c[b, :length].astype(np.float32)
        score = q_tilde[b].astype(np.float32) @ latents.T
        rope = 0 if q_rope_hat is None else q_rope_hat[b].astype(np.float32) @ k_rope_cached[b, :length].astype(np.float32).T
        if alpha_k is None:
            logits = (score + rope) * scale
        else:
            group = np.arange(heads) * problem.groups // heads if alpha_k.shape[2] > 1 else np.zeros(heads, int)
            key_factor = alpha_k[b, :length].astype(np.float32).T[group]
            score = score * alpha_q[b].astype(np.float32)[..., None]  # q_rope_hat is normalised already
            # Unified: one statistic of the key scales both parts.
            joined = (score + rope) * key_factor if problem.norm.scheme == "unified" else score * key_factor + rope
            logits = joined * scale
        if cap > 0:
            logits = cap * np.tanh(logits / cap)
        seen = visible(problem, queries, length)[:, None, :]
        p, row_lse = softmax(logits, seen, None if sink is None else sink.astype(np.float32))
        u[b], lse[b] = p @ latents, row_lse.T
    return {"u": u, "lse": lse}


@kernel(name="absorbed decode, numpy, fp32", path="absorbed", stages=STAGES, outputs={"u": "fp32", "lse": "fp32"},
        precision={"storage": "fp32", "accumulate": "fp32", "statistics": "fp32"}, requires={"attention": ["mla"]})
def run(**tensors):
    return decode(**tensors)
