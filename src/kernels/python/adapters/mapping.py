"""Tensors of equinorm as serving kernels want them. `xp` is torch or numpy: the same calls in both.

None of the kernels behind these adapters can apply alpha_k, a factor per token and group, to the scores: they serve problems without QK-norm
(norm.scheme none). Folding alpha_k into the cached latent would change the values too.
"""


def join(xp, parts, axis=-1):
    """A new contiguous tensor."""
    return xp.cat(parts, axis) if hasattr(xp, "cat") else xp.concatenate(parts, axis)


def joined_query(xp, q_tilde, q_rope_hat, alpha_q=None):
    """[B,S,H,r+d_r]: [q_tilde alpha_q; q_rope_hat], rounded back to q_tilde's format."""
    content = q_tilde if alpha_q is None else q_tilde * alpha_q[..., None]
    if content.dtype != q_tilde.dtype:
        content = content.astype(q_tilde.dtype) if hasattr(content, "astype") else content.to(q_tilde.dtype)
    return join(xp, [content, q_rope_hat])


def joined_pool(xp, c, k_rope_cached):
    """[pages, page_size, 1, r+d_r]: one key head whose first r dims are the value too."""
    return join(xp, [c, k_rope_cached])[:, :, None, :]


def same_table(first, second):
    """The table of two paged tensors that a kernel reads by one."""
    if first.shape != second.shape or not bool((first == second).all()):
        raise ValueError("c and k_rope_cached lie in different pages")
    return first


def page_lists(xp, table, context_lengths, page_size):
    """Pages of all rows in one list, and where each row's begin: kv_indices [pages in use], kv_indptr [B+1], both int32."""
    counts = [-(-int(length) // page_size) for length in context_lengths]
    starts = [sum(counts[:b]) for b in range(len(counts) + 1)]
    rows = [table[b, :count] for b, count in enumerate(counts)]
    return join(xp, rows, 0), int32_list(xp, starts, table)


def int32_list(xp, values, like):
    """An int32 tensor where `like` is."""
    device = {"device": like.device} if hasattr(like, "is_cuda") else {}
    return xp.asarray(values, dtype=xp.int32, **device)


def split_count(problem, most=64):
    return max(1, min(int(problem["splits"]), most))
