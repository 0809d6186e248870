"""The same from bfloat16 tensors to a bfloat16 u, computed in float32. With ml_dtypes the arrays are bfloat16, without it float32 ones
that hold the same numbers."""
from absorbed_decode import STAGES, decode
from equinorm_kernel import kernel


@kernel(name="absorbed decode, numpy, bf16", path="absorbed", stages=STAGES, outputs={"u": "bf16", "lse": "fp32"},
        precision={"storage": "bf16", "accumulate": "fp32", "statistics": "fp32", "q_tilde": "bf16", "q_hat": "bf16", "k_hat": "bf16", "u": "bf16"},
        requires={"attention": ["mla"]})
def run(**tensors):
    return decode(**tensors)
