"""Absorbed attention in JAX, bfloat16 tensors, float32 inside, compiled by XLA; on a GPU with device="cuda"."""
import functools

import jax
import jax.numpy as jnp
from equinorm_kernel import kernel


@functools.partial(jax.jit, static_argnames="scale")
def attend(c, alpha_k, k_rope_cached, alpha_q, q_tilde, q_rope_hat, lengths, group, scale):
    f32 = jnp.float32
    score = jnp.einsum("bshr,btr->bhst", q_tilde.astype(f32), c.astype(f32), precision="highest")
    score = score * alpha_q.astype(f32).transpose(0, 2, 1)[..., None] * alpha_k.astype(f32).transpose(0, 2, 1)[:, group, None, :]
    score = score + jnp.einsum("bshr,btr->bhst", q_rope_hat.astype(f32), k_rope_cached.astype(f32), precision="highest")
    token, query = jnp.arange(c.shape[1]), jnp.arange(q_tilde.shape[1])
    last = lengths[:, None] - q_tilde.shape[1] + query
    seen = (token <= last[..., None])[:, None]  # (batch, 1, query, token): causal, and nothing past the row's end
    logits = jnp.where(seen, score * f32(scale), -jnp.inf)
    lse = jax.nn.logsumexp(logits, -1)
    p = jnp.where(seen, jnp.exp(logits - jnp.where(jnp.isfinite(lse), lse, 0)[..., None]), 0)  # a row that sees nothing: 0
    live = (token < lengths[:, None])[..., None]
    u = jnp.einsum("bhst,btr->bshr", p, jnp.where(live, c.astype(f32), 0), precision="highest")
    return u.astype(jnp.bfloat16), lse


@kernel(name="absorbed decode, jax, bf16", path="absorbed", stages=["score", "softmax", "value"], framework="jax",
        outputs={"u": "bf16", "lse": "fp32"},
        precision={"storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "q_tilde": "bf16", "q_hat": "bf16", "k_hat": "bf16", "u": "bf16"},
        requires={"attention": ["mla"], "norm.scheme": ["blockwise"], "mask.kind": ["causal"], "softcap": ["0"], "sink": ["false"],
                  "rope_dim": {"min": 1}})
def run(c, alpha_k, k_rope_cached, alpha_q, q_tilde, q_rope_hat, context_lengths, problem):
    heads = q_tilde.shape[2]
    group = tuple(head * problem.groups // heads for head in range(heads))
    u, lse = attend(c, alpha_k, k_rope_cached, alpha_q, q_tilde, q_rope_hat, context_lengths, jnp.array(group), problem.scale)
    return {"u": u, "lse": lse}
