/* equinorm kernel interface, version 1: what a shared library exports so that `equinorm check libmine.so` can judge it.
 *
 * Three C functions. Nothing of equinorm is linked. The library is loaded in a worker process of its own: it may crash, hang or scribble
 * without harm to the judge. A kernel carries out a run of consecutive stages of the attention path
 *
 *   project      x -> c, k_rope, q_content, q_rope
 *   cache_write  c, k_rope, w_k, gammas -> alpha_k, k_rope_cached                   (explicit form: k_hat)
 *   query        q_content, q_rope, gammas, w_k -> q_tilde, alpha_q, q_rope_hat     (explicit form: q_hat)
 *   score        -> logits
 *   softmax      -> p, lse
 *   value        -> u (absorbed form), o (explicit form)
 *   output       u, w_v -> o; gate -> o_gated; w_o -> y
 *
 * and gets every tensor that these stages read from outside. `equinorm list tensors CASE` shows names, shapes and meaning.
 */
#ifndef EQUINORM_KERNEL_H
#define EQUINORM_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EQUINORM_KERNEL_ABI 1
#define EQUINORM_MAX_RANK 5

#if defined(_WIN32)
#define EQUINORM_EXPORT __declspec(dllexport)
#else
#define EQUINORM_EXPORT __attribute__((visibility("default")))
#endif

enum equinorm_dtype { EQUINORM_F16 = 0, EQUINORM_BF16 = 1, EQUINORM_F32 = 2, EQUINORM_F64 = 3, EQUINORM_I64 = 4, EQUINORM_I32 = 5 };

enum equinorm_status {
  EQUINORM_OK = 0,
  EQUINORM_UNSUPPORTED = 1, /* this problem is none of mine: the case is reported as skipped, with `message` */
  EQUINORM_FAILED = 2       /* the run went wrong: the case fails, with `message` */
};

enum equinorm_attention { EQUINORM_MLA = 0, EQUINORM_GQA = 1 };
enum equinorm_norm_scheme {
  EQUINORM_NORM_BLOCKWISE = 0,
  EQUINORM_NORM_UNIFIED = 1,
  EQUINORM_NORM_FULL_WIDTH = 2,
  EQUINORM_NORM_PER_HEAD = 3,
  EQUINORM_NORM_NONE = 4
};
enum equinorm_norm_kind { EQUINORM_NORM_RMS = 0, EQUINORM_NORM_L2 = 1 };
enum equinorm_norm_weight { EQUINORM_WEIGHT_PLAIN = 0, EQUINORM_WEIGHT_ZERO_CENTRED = 1, EQUINORM_WEIGHT_NONE = 2 };
enum equinorm_rope_layout { EQUINORM_ROPE_INTERLEAVED = 0, EQUINORM_ROPE_HALF = 1, EQUINORM_ROPE_NONE = 2 };
enum equinorm_mask { EQUINORM_MASK_NONE = 0, EQUINORM_MASK_CAUSAL = 1, EQUINORM_MASK_WINDOW = 2 };

/* One tensor. Element [i0,i1,...] is at data + sum_a i_a * strides[a], counted in elements.
 *
 * A paged tensor (block_table not NULL; axis 1 is the token): token t of batch row b is row t % page_size of page
 * block_table[b * blocks_per_row + t / page_size]; its element [b,t,i2,...] is at
 *   data + page * page_stride + (t % page_size) * strides[1] + sum_{a>=2} i_a * strides[a].
 * Entries of the table past a row's context name pages that are not there, and numbers past a row's context are NaN: neither may matter.
 *
 * Memory belongs to the caller and is valid during the call. Inputs must not be written. Outputs come filled with a pattern; every
 * element has to be written, except those of tokens past a row's context. */
typedef struct equinorm_tensor {
  const char* name;
  void* data; /* host or device memory, as declared */
  int32_t dtype;
  int32_t rank;
  int64_t shape[EQUINORM_MAX_RANK];
  int64_t strides[EQUINORM_MAX_RANK];
  const int32_t* block_table; /* [batch, blocks_per_row], in the same memory as data; NULL: not paged */
  int64_t blocks_per_row;
  int64_t page_size;
  int64_t page_stride; /* elements */
  int64_t pages;       /* of the pool */
} equinorm_tensor;

/* The problem: dimensions in numbers of elements, scalars as the nearest binary64. Fields may be added at the end in later versions:
 * `size` says how many bytes there are. */
typedef struct equinorm_problem {
  uint64_t size;
  int64_t batch;   /* B */
  int64_t queries; /* S: query tokens of each row, the last ones of its context */
  int64_t context; /* T: longest context */
  int64_t heads;   /* H */
  int64_t groups;  /* G: head h uses group h * G / H, rounded down */
  int64_t latent;  /* r */
  int64_t content_dim, rope_dim, head_dim, value_dim, model_dim, query_latent;
  int64_t rotated_dim; /* dims that turn, 0: none */
  int64_t window;      /* EQUINORM_MASK_WINDOW: query i of S sees T_b - S + i - window < t <= T_b - S + i */
  int64_t splits;      /* asked of a split-KV kernel; 1 otherwise */
  int64_t tile;        /* keys per online-softmax tile, 0: the kernel's own choice */
  const int32_t* context_lengths; /* [batch], host memory: T_b. In device memory too, as the input tensor "context_lengths" [B] */
  double eps;                     /* S(z) = sqrt(mean z^2 + eps) (rms), sqrt(sum z^2 + eps) (l2) */
  double scale;                   /* multiplies the logits */
  double softcap;                 /* 0: none; else l -> softcap * tanh(l / softcap), after scale, before the mask */
  int32_t attention;              /* equinorm_attention */
  int32_t norm_scheme, norm_kind, norm_weight, latent_norm;
  int32_t rope_layout;
  int32_t rope_last; /* gqa: the last rotated_dim dims of the head turn, not the first */
  int32_t mask;
  int32_t sink, output_gate; /* 0 or 1 */
} equinorm_problem;

typedef struct equinorm_call {
  uint64_t size;
  const equinorm_problem* problem;
  const equinorm_tensor* inputs;
  const equinorm_tensor* outputs;
  int32_t input_count, output_count;
  void* workspace;         /* workspace_bytes bytes, aligned to 256, not cleared; NULL where none were asked for */
  uint64_t workspace_bytes;
  void* stream;            /* a CUstream for kernels on a GPU: outputs count as written once it is idle; NULL on the host */
  int32_t threads;         /* worker threads that a kernel on the host may use */
  char* message;           /* for an error text, ended by 0 */
  uint64_t message_bytes;
} equinorm_call;

/* The kernel's declaration: a JSON text (src/kernels/DECLARATION.md) that lives as long as the library. */
EQUINORM_EXPORT const char* equinorm_kernel_describe(void);

/* Bytes of workspace that a run of this call needs; tensors' data pointers are NULL here. Optional: without it, none. */
EQUINORM_EXPORT uint64_t equinorm_kernel_workspace(const equinorm_call* call);

/* Runs the declared stages. Returns an equinorm_status; no exception may leave it. */
EQUINORM_EXPORT int32_t equinorm_kernel_run(const equinorm_call* call);

#ifdef __cplusplus
}
#endif

#endif /* EQUINORM_KERNEL_H */
