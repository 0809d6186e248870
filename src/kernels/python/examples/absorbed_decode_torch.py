"""Absorbed attention in PyTorch, bfloat16 tensors, float32 inside; on a GPU with device="cuda"."""
import torch
from equinorm_kernel import kernel


@kernel(name="absorbed decode, torch, bf16", path="absorbed", stages=["score", "softmax", "value"], framework="torch",
        outputs={"u": "bf16", "lse": "fp32"},
        precision={"storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "q_tilde": "bf16", "q_hat": "bf16", "k_hat": "bf16", "u": "bf16"},
        requires={"attention": ["mla"], "norm.scheme": ["blockwise"], "mask.kind": ["causal"], "softcap": ["0"], "sink": ["false"],
                  "rope_dim": {"min": 1}})
def run(c, alpha_k, k_rope_cached, alpha_q, q_tilde, q_rope_hat, context_lengths, problem):
    batch, queries, heads, latent = q_tilde.shape
    u = torch.zeros(batch, queries, heads, latent)
    lse = torch.full((batch, heads, queries), -torch.inf)
    group = torch.arange(heads) * problem.groups // heads
    for b, length in enumerate(context_lengths.tolist()):
        latents = c[b, :length].float()
        score = q_tilde[b].float() @ latents.T * alpha_q[b].float()[..., None] * alpha_k[b, :length].float().T[group]
        logits = (score + q_rope_hat[b].float() @ k_rope_cached[b, :length].float().T) * problem.scale
        last = length - queries + torch.arange(queries)
        logits = logits.masked_fill(torch.arange(length)[None, None, :] > last[:, None, None], -torch.inf)
        row_lse = torch.logsumexp(logits, -1)
        p = torch.exp(logits - row_lse.nan_to_num(neginf=0.0)[..., None])  # a row that sees nothing: 0
        u[b], lse[b] = p @ latents, row_lse.T
    return {"u": u.bfloat16(), "lse": lse}
