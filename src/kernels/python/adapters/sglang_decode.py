"""SGLang: the Triton kernel decode_attention_fwd over token slots, one query per row (package sglang).

Every token has a slot of its own (pages of 1); there is no lse to read. A row without keys is 0/0 there, so such problems are not served.
The kernel has no factor per key: no QK-norm.
Written from the public signature; what is tested is the mapping of arguments, on stubs. The kernel itself has not been run here.
"""
import inspect

from equinorm_kernel import Unsupported, kernel
from mapping import int32_list, joined_pool, joined_query, page_lists, same_table, split_count


def arguments(xp, c, k_rope_cached, q_tilde, q_rope_hat, table, context_lengths, problem, empty):
    """Positional arguments of decode_attention_fwd up to sm_scale; it writes o [B,H,r]. `empty(shape, dtype)` allocates."""
    batch, _, heads, latent = q_tilde.shape
    keys = joined_pool(xp, c, k_rope_cached)[:, 0]
    indices, starts = page_lists(xp, table, context_lengths, 1)
    o, most = empty((batch, heads, latent), q_tilde.dtype), split_count(problem)
    partial, partial_lse = empty((batch, heads, most, latent), xp.float32), empty((batch, heads, most), xp.float32)
    return (joined_query(xp, q_tilde, q_rope_hat)[:, 0], keys, keys[..., :latent], o, starts, indices, partial, partial_lse,
            int32_list(xp, [most] * batch, table), most, problem["scale"])


def scales(function):
    """The scales of a quantised cache, which newer versions ask for; ours is not quantised."""
    return {name: 1.0 for name in ("k_scale", "v_scale") if name in inspect.signature(function).parameters}


@kernel(name="SGLang, Triton decode", path="absorbed", stages=["score", "softmax", "value"], framework="triton", packages=["sglang"],
        device="cuda", outputs={"u": "bf16"},
        inputs={name: {"dtype": "bf16", "layout": "paged", "page_size": 1} for name in ("c", "k_rope_cached")},
        precision={"storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "q_tilde": "bf16", "q_hat": "bf16", "k_hat": "bf16",
                   "p": "bf16", "u": "bf16"},
        requires={"attention": ["mla"], "norm.scheme": ["none"], "queries": [1], "rope_dim": {"min": 1}, "context": {"min": 1},
                  "mask.kind": ["causal", "none"], "sink": ["false"]})
def run(c, c_block_table, k_rope_cached, k_rope_cached_block_table, q_tilde, q_rope_hat, context_lengths, problem):
    import torch
    from sglang.srt.layers.attention.triton_ops.decode_attention import decode_attention_fwd
    if int(context_lengths.min()) == 0:
        raise Unsupported("a row without keys is 0/0 in this kernel")
    table = same_table(c_block_table, k_rope_cached_block_table)
    given = arguments(torch, c, k_rope_cached, q_tilde, q_rope_hat, table, context_lengths, problem,
                      lambda shape, dtype: torch.empty(shape, dtype=dtype, device=c.device))
    decode_attention_fwd(*given, logit_cap=problem["softcap"], **scales(decode_attention_fwd))
    return {"u": given[3][:, None]}
