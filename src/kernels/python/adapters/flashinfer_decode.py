"""FlashInfer: BatchMLAPagedAttentionWrapper over a paged cache, content and RoPE apart (package flashinfer).

Any page size (here 16), 512 + 64 dims, lse to base 2, -inf for a row without keys. The kernel has no factor per key: no QK-norm.
Written from the public signature; what is tested is the mapping of arguments, on stubs. The kernel itself has not been run here.
"""
from equinorm_kernel import kernel
from mapping import int32_list, page_lists, same_table

PAGE = 16


def plan_arguments(xp, c, k_rope_cached, q_tilde, table, context_lengths, problem):
    """Keyword arguments of plan(): the queries of all rows stand one after the other."""
    batch, queries, heads, _ = q_tilde.shape
    indices, starts = page_lists(xp, table, context_lengths, PAGE)
    return {"qo_indptr": int32_list(xp, [b * queries for b in range(batch + 1)], table), "kv_indptr": starts, "kv_indices": indices,
            "kv_len_arr": context_lengths, "num_heads": heads, "head_dim_ckv": c.shape[-1], "head_dim_kpe": k_rope_cached.shape[-1],
            "page_size": PAGE, "causal": problem["mask"]["kind"] == "causal", "sm_scale": problem["scale"], "q_data_type": q_tilde.dtype,
            "kv_data_type": c.dtype}


def run_arguments(c, k_rope_cached, q_tilde, q_rope_hat):
    """Arguments of run(): q_nope [n,H,r], q_pe [n,H,d_r] and the two pools."""
    _, _, heads, latent = q_tilde.shape
    return q_tilde.reshape(-1, heads, latent), q_rope_hat.reshape(-1, heads, q_rope_hat.shape[-1]), c, k_rope_cached


def from_rows(u, lse, batch, queries):
    """[n,H,r] and [n,H] -> u [B,S,H,r] and lse [B,H,S]."""
    heads = u.shape[1]
    return u.reshape(batch, queries, heads, -1), lse.reshape(batch, queries, heads).swapaxes(1, 2)


@kernel(name="FlashInfer, MLA over pages", path="absorbed", stages=["score", "softmax", "value"], framework="torch", packages=["flashinfer"],
        device="cuda", lse_base="2", empty_row_lse="-inf", outputs={"u": "bf16", "lse": "fp32"},
        inputs={name: {"dtype": "bf16", "layout": "paged", "page_size": PAGE} for name in ("c", "k_rope_cached")},
        precision={"storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "q_tilde": "bf16", "q_hat": "bf16", "k_hat": "bf16",
                   "p": "bf16", "u": "bf16"},
        requires={"attention": ["mla"], "norm.scheme": ["none"], "latent": [512], "rope_dim": [64], "mask.kind": ["causal", "none"],
                  "softcap": ["0"], "sink": ["false"]})
def run(c, c_block_table, k_rope_cached, k_rope_cached_block_table, q_tilde, q_rope_hat, context_lengths, problem):
    import flashinfer
    import torch
    table = same_table(c_block_table, k_rope_cached_block_table)
    wrapper = flashinfer.mla.BatchMLAPagedAttentionWrapper(torch.empty(128 << 20, dtype=torch.uint8, device=c.device))
    wrapper.plan(**plan_arguments(torch, c, k_rope_cached, q_tilde, table, context_lengths, problem))
    u, lse = wrapper.run(*run_arguments(c, k_rope_cached, q_tilde, q_rope_hat), return_lse=True)
    u, lse = from_rows(u, lse, *q_tilde.shape[:2])
    return {"u": u, "lse": lse}
