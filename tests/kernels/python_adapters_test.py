"""The adapters' mapping of arguments, on stubs: shapes, strides and values that are handed over. The kernels themselves are not run.

One small decode step is laid out in pages and mapped; from what each entry point would get, attention is computed as its documentation says
it reads them, and compared with attention on the plain tensors.
"""
import importlib
import pathlib
import subprocess
import sys
import unittest

import numpy as np

PYTHON = pathlib.Path(__file__).resolve().parents[2] / "src/kernels/python"
sys.path[:0] = [str(PYTHON), str(PYTHON / "adapters")]
flashmla_decode, flashinfer_decode, vllm_decode, sglang_decode, mapping = (
    importlib.import_module(name) for name in ("flashmla_decode", "flashinfer_decode", "vllm_decode", "sglang_decode", "mapping"))

LATENT, ROPE, HEADS, SCALE = 8, 4, 3, 0.3
NO_PAGE = 2147480000


def pages(tensor, lengths, page_size):
    """Pool [pages, page_size, ...] in shuffled order and its table; NaN and no page where there is no token."""
    rows, tokens = tensor.shape[:2]
    blocks = -(-tokens // page_size)
    used = [-(-int(length) // page_size) for length in lengths]
    order = list(np.random.default_rng(5).permutation(sum(used) + 2))
    pool = np.full((len(order), page_size, *tensor.shape[2:]), np.nan, np.float32)
    table = np.full((rows, blocks), NO_PAGE, np.int32)
    for b in range(rows):
        for block in range(used[b]):
            page = table[b, block] = order.pop()
            part = tensor[b, block * page_size:min((block + 1) * page_size, int(lengths[b]))]
            pool[page, :len(part)] = part
    return pool, table


def attend(query, keys, values, seen=None):
    """query [H,d], keys [T,d], values [T,r] -> [H,r] and natural lse [H]."""
    logits = SCALE * query @ keys.T
    if seen is not None:
        logits = logits[:, :seen]
    top = logits.max(-1, keepdims=True)
    weights = np.exp(logits - top)
    return weights @ values[:logits.shape[1]] / weights.sum(-1, keepdims=True), top[:, 0] + np.log(weights.sum(-1))


class Adapters(unittest.TestCase):
    def case(self, queries, lengths, page_size):
        random = np.random.default_rng(4)
        tokens = max(lengths)
        self.q_tilde, self.q_rope = (random.normal(size=(len(lengths), queries, HEADS, d)).astype(np.float32) for d in (LATENT, ROPE))
        c, k_rope = (random.normal(size=(len(lengths), tokens, d)).astype(np.float32) for d in (LATENT, ROPE))
        self.lengths = np.array(lengths, np.int32)
        self.c, self.table = pages(c, lengths, page_size)
        self.k_rope, table = pages(k_rope, lengths, page_size)
        self.assertIs(mapping.same_table(self.table, table), self.table)
        self.problem = {"scale": SCALE, "softcap": 0.0, "splits": 5, "mask": {"kind": "causal"}}
        self.u = np.zeros((len(lengths), queries, HEADS, LATENT), np.float32)
        self.lse = np.zeros((len(lengths), HEADS, queries), np.float32)
        for b, length in enumerate(lengths):
            for i in range(queries):
                query = np.concatenate([self.q_tilde[b, i], self.q_rope[b, i]], -1)
                self.u[b, i], self.lse[b, :, i] = attend(query, np.concatenate([c[b], k_rope[b]], -1), c[b], length - queries + i + 1)

    def allocate(self, shape, dtype):
        return np.full(shape, np.nan, dtype)

    def close(self, got, wanted):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5)

    def test_flash_mla(self):
        self.case(2, [70, 64, 2], flashmla_decode.PAGE)
        given = flashmla_decode.arguments(np, self.c, self.k_rope, self.q_tilde, self.q_rope, self.table, self.lengths, self.problem)
        self.assertEqual(given["q"].shape, (3, 2, HEADS, LATENT + ROPE))
        self.assertEqual(given["k_cache"].shape[1:], (64, 1, LATENT + ROPE))
        self.assertTrue(given["k_cache"].flags.c_contiguous and given["q"].flags.c_contiguous)
        self.assertEqual((given["block_table"].dtype, given["cache_seqlens"].dtype), (np.int32, np.int32))
        self.assertEqual((given["head_dim_v"], given["softmax_scale"], given["causal"]), (LATENT, SCALE, True))
        for b, length in enumerate(given["cache_seqlens"]):
            keys = np.concatenate([given["k_cache"][page, :, 0] for page in given["block_table"][b, :-(-length // 64)]])
            for i in range(2):
                u, lse = attend(given["q"][b, i], keys, keys[:, :given["head_dim_v"]], length - 2 + i + 1)
                self.close(u, self.u[b, i]), self.close(lse, self.lse[b, :, i])

    def test_flashinfer(self):
        self.case(2, [33, 2, 16], flashinfer_decode.PAGE)
        plan = flashinfer_decode.plan_arguments(np, self.c, self.k_rope, self.q_tilde, self.table, self.lengths, self.problem)
        q_nope, q_pe, ckv, kpe = flashinfer_decode.run_arguments(self.c, self.k_rope, self.q_tilde, self.q_rope)
        self.assertEqual((q_nope.shape, q_pe.shape), ((6, HEADS, LATENT), (6, HEADS, ROPE)))
        self.assertEqual((ckv.shape[1:], kpe.shape[1:]), ((16, LATENT), (16, ROPE)))
        self.assertEqual(list(plan["qo_indptr"]), [0, 2, 4, 6])
        self.assertEqual(list(plan["kv_indptr"]), [0, 3, 4, 5])
        self.assertEqual({plan[key].dtype for key in ("qo_indptr", "kv_indptr", "kv_indices", "kv_len_arr")}, {np.dtype(np.int32)})
        self.assertEqual([plan[key] for key in ("num_heads", "head_dim_ckv", "head_dim_kpe", "page_size", "causal", "sm_scale")],
                         [HEADS, LATENT, ROPE, 16, True, SCALE])
        rows, logs = np.zeros((6, HEADS, LATENT), np.float32), np.zeros((6, HEADS), np.float32)
        for b, length in enumerate(plan["kv_len_arr"]):
            own = plan["kv_indices"][plan["kv_indptr"][b]:plan["kv_indptr"][b + 1]]
            values, rope = np.concatenate(list(ckv[own])), np.concatenate(list(kpe[own]))
            for i in range(2):
                row = plan["qo_indptr"][b] + i
                rows[row], logs[row] = attend(np.concatenate([q_nope[row], q_pe[row]], -1), np.concatenate([values, rope], -1), values, length - 2 + i + 1)
        u, lse = flashinfer_decode.from_rows(rows, logs, 3, 2)
        self.close(u, self.u), self.close(lse, self.lse)

    def test_vllm(self):
        self.case(1, [33, 1, 16], vllm_decode.PAGE)
        q, keys, values, o, lse, table, lengths, partial, splits, scale, page_size, cap = vllm_decode.arguments(
            np, self.c, self.k_rope, self.q_tilde, self.q_rope, self.table, self.lengths, self.problem, self.allocate)
        self.assertEqual((q.shape, keys.shape[1:], values.shape[1:]), ((3, HEADS, LATENT + ROPE), (16, 1, LATENT + ROPE), (16, 1, LATENT)))
        self.assertTrue(np.shares_memory(keys, values))
        self.assertEqual(values.strides, keys.strides)
        self.assertEqual((o.shape, lse.shape, partial.shape), ((3, HEADS, LATENT), (3, HEADS), (3, HEADS, 5, LATENT + 1)))
        self.assertEqual((splits, scale, page_size, cap), (5, SCALE, 16, 0.0))
        for b, length in enumerate(lengths):
            own = [(table[b, t // page_size], t % page_size) for t in range(length)]
            got, log = attend(q[b], np.array([keys[page, slot, 0] for page, slot in own]), np.array([values[page, slot, 0] for page, slot in own]))
            self.close(got, self.u[b, 0]), self.close(log, self.lse[b, :, 0])

    def test_sglang(self):
        self.case(1, [33, 1, 16], 1)
        q, keys, values, o, starts, indices, partial, partial_lse, splits, most, scale = sglang_decode.arguments(
            np, self.c, self.k_rope, self.q_tilde, self.q_rope, self.table, self.lengths, self.problem, self.allocate)
        self.assertEqual((q.shape, keys.shape[1:], values.shape[1:]), ((3, HEADS, LATENT + ROPE), (1, LATENT + ROPE), (1, LATENT)))
        self.assertEqual((list(starts), list(splits), most, scale), ([0, 33, 34, 50], [5, 5, 5], 5, SCALE))
        self.assertEqual((starts.dtype, indices.dtype, splits.dtype), (np.int32, np.int32, np.int32))
        self.assertEqual((partial.shape, partial_lse.shape, o.shape), ((3, HEADS, 5, LATENT), (3, HEADS, 5), (3, HEADS, LATENT)))
        for b in range(3):
            own = indices[starts[b]:starts[b + 1]]
            self.close(attend(q[b], keys[own, 0], values[own, 0])[0], self.u[b, 0])

    def test_other_pages_are_refused(self):
        self.case(1, [33, 1, 16], 16)
        other = self.table.copy()
        other[0, 0] += 1
        with self.assertRaises(ValueError):
            mapping.same_table(self.table, other)

    def test_alpha_q_is_folded_in_and_rounded(self):
        q_tilde, alpha = np.ones((1, 1, 2, 2), np.float16), np.array([[[0.5, 1 / 3]]], np.float32)
        joined = mapping.joined_query(np, q_tilde, np.full((1, 1, 2, 1), 7, np.float16), alpha)
        self.assertEqual(joined.dtype, np.float16)
        self.assertEqual(joined.tolist(), [[[[0.5, 0.5, 7.0], [float(np.float16(1 / 3))] * 2 + [7.0]]]])

    def test_scales_only_where_they_are_asked_for(self):
        self.assertEqual(sglang_decode.scales(lambda q, k_scale, v_scale: None), {"k_scale": 1.0, "v_scale": 1.0})
        self.assertEqual(sglang_decode.scales(lambda q: None), {})

    def test_what_they_declare(self):
        for module, base, empty in ((flashmla_decode, "e", "+inf"), (flashinfer_decode, "2", "-inf"), (vllm_decode, "e", None), (sglang_decode, None, None)):
            declared = module.run.declaration
            self.assertEqual((declared.get("lse_base"), declared.get("empty_row_lse")), (base, empty))
            self.assertEqual(declared["requires"]["norm.scheme"], ["none"])
            self.assertEqual("lse" in declared["outputs"], module is not sglang_decode)

    @unittest.skipUnless(subprocess.run(["/usr/bin/python3", "-c", "import torch, numpy"], capture_output=True, check=False).returncode == 0
                         if pathlib.Path("/usr/bin/python3").exists() else False, "Debian's python3-torch is not installed")
    def test_the_same_mapping_in_torch(self):
        program = (f"import sys; sys.path[:0] = [{str(PYTHON)!r}, {str(PYTHON / 'adapters')!r}]\n"
                   "import numpy, torch, vllm_decode, sglang_decode, flashinfer_decode\n"
                   "problem = {'scale': 0.3, 'softcap': 0.0, 'splits': 5, 'mask': {'kind': 'causal'}}\n"
                   "def both(make):\n"
                   "    n, t = make(numpy, lambda x: x), make(torch, torch.from_numpy)\n"
                   "    for a, b in zip(n, t):\n"
                   "        if not hasattr(a, 'shape'): assert a == b; continue\n"
                   "        assert a.shape == tuple(b.shape) and (a == b.numpy()).all() and str(b.dtype) == 'torch.' + str(a.dtype)\n"
                   "        assert all(n == 1 or x == 4 * y for n, x, y in zip(a.shape, a.strides, b.stride()))\n"
                   "data = [numpy.random.rand(7, 1, d).astype('f') for d in (8, 4)] + [numpy.random.rand(2, 1, 3, d).astype('f') for d in (8, 4)]\n"
                   "data += [numpy.array([[3, 1, 4], [0, 2, 2147480000]], 'i'), numpy.array([3, 2], 'i')]\n"
                   "for module in (vllm_decode, sglang_decode):\n"
                   "    both(lambda xp, to: module.arguments(xp, *map(to, data), problem, lambda s, d: xp.zeros(s, dtype=d)))\n"
                   "print('same')\n")
        done = subprocess.run(["/usr/bin/python3", "-B", "-c", program], capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.stdout, "same\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
