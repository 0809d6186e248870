"""FlashMLA: flash_mla_with_kvcache, dense decode over a paged bf16 cache (package flash_mla).

Pages of 64 tokens, 512 + 64 dims, natural lse, which is +inf for a row without keys. The kernel has no factor per key: no QK-norm.
Written from the public signature; what is tested is the mapping of arguments, on stubs. The kernel itself has not been run here.
"""
from equinorm_kernel import kernel
from mapping import joined_pool, joined_query, same_table

PAGE = 64


def arguments(xp, c, k_rope_cached, q_tilde, q_rope_hat, table, context_lengths, problem):
    """Keyword arguments of flash_mla_with_kvcache but for the scheduler's."""
    return {"q": joined_query(xp, q_tilde, q_rope_hat), "k_cache": joined_pool(xp, c, k_rope_cached), "block_table": table,
            "cache_seqlens": context_lengths, "head_dim_v": c.shape[-1], "softmax_scale": problem["scale"],
            "causal": problem["mask"]["kind"] == "causal"}


@kernel(name="FlashMLA, dense decode", path="absorbed", stages=["score", "softmax", "value"], framework="torch", packages=["flash_mla"],
        device="cuda", lse_base="e", empty_row_lse="+inf", outputs={"u": "bf16", "lse": "fp32"},
        inputs={name: {"dtype": "bf16", "layout": "paged", "page_size": PAGE} for name in ("c", "k_rope_cached")},
        precision={"storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "q_tilde": "bf16", "q_hat": "bf16", "k_hat": "bf16",
                   "p": "bf16", "u": "bf16"},
        requires={"attention": ["mla"], "norm.scheme": ["none"], "latent": [512], "rope_dim": [64], "mask.kind": ["causal", "none"],
                  "softcap": ["0"], "sink": ["false"]})
def run(c, c_block_table, k_rope_cached, k_rope_cached_block_table, q_tilde, q_rope_hat, context_lengths, problem):
    import flash_mla
    import torch
    table = same_table(c_block_table, k_rope_cached_block_table)
    given = arguments(torch, c, k_rope_cached, q_tilde, q_rope_hat, table, context_lengths, problem)
    _, queries, heads, _ = q_tilde.shape
    schedule, splits = flash_mla.get_mla_metadata(context_lengths, queries * heads, 1)
    u, lse = flash_mla.flash_mla_with_kvcache(tile_scheduler_metadata=schedule, num_splits=splits, **given)
    return {"u": u, "lse": lse}
