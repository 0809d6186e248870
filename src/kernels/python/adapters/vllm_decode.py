"""vLLM: the Triton kernel decode_attention_fwd over a paged cache, one query per row (package vllm).

Natural lse. A row without keys is 0/0 there, so such problems are not served. The kernel has no factor per key: no QK-norm.
Written from the public signature; what is tested is the mapping of arguments, on stubs. The kernel itself has not been run here.
"""
from equinorm_kernel import Unsupported, kernel
from mapping import joined_pool, joined_query, same_table, split_count

PAGE = 16


def arguments(xp, c, k_rope_cached, q_tilde, q_rope_hat, table, context_lengths, problem, empty):
    """Positional arguments of decode_attention_fwd, and what it writes: o [B,H,r] and lse [B,H]. `empty(shape, dtype)` allocates."""
    batch, _, heads, latent = q_tilde.shape
    pool = joined_pool(xp, c, k_rope_cached)
    o, lse = empty((batch, heads, latent), q_tilde.dtype), empty((batch, heads), xp.float32)
    splits = split_count(problem)
    partial = empty((batch, heads, splits, latent + 1), xp.float32)  # the last slot is the partial lse
    query = joined_query(xp, q_tilde, q_rope_hat)[:, 0]
    return (query, pool, pool[..., :latent], o, lse, table, context_lengths, partial, splits, problem["scale"], PAGE, problem["softcap"])


def entry_point():
    """It has moved between versions."""
    try:
        from vllm.v1.attention.ops.triton_decode_attention import decode_attention_fwd
    except ImportError:
        from vllm.attention.ops.triton_decode_attention import decode_attention_fwd
    return decode_attention_fwd


@kernel(name="vLLM, Triton decode", path="absorbed", stages=["score", "softmax", "value"], framework="triton", packages=["vllm"],
        device="cuda", lse_base="e", outputs={"u": "bf16", "lse": "fp32"},
        inputs={name: {"dtype": "bf16", "layout": "paged", "page_size": PAGE} for name in ("c", "k_rope_cached")},
        precision={"storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "q_tilde": "bf16", "q_hat": "bf16", "k_hat": "bf16",
                   "p": "bf16", "u": "bf16"},
        requires={"attention": ["mla"], "norm.scheme": ["none"], "queries": [1], "rope_dim": {"min": 1}, "context": {"min": 1},
                  "mask.kind": ["causal", "none"], "sink": ["false"]})
def run(c, c_block_table, k_rope_cached, k_rope_cached_block_table, q_tilde, q_rope_hat, context_lengths, problem):
    import torch
    if int(context_lengths.min()) == 0:
        raise Unsupported("a row without keys is 0/0 in this kernel")
    table = same_table(c_block_table, k_rope_cached_block_table)
    given = arguments(torch, c, k_rope_cached, q_tilde, q_rope_hat, table, context_lengths, problem,
                      lambda shape, dtype: torch.empty(shape, dtype=dtype, device=c.device))
    entry_point()(*given)
    return {"u": given[3][:, None], "lse": given[4][..., None]}
