"""`equinorm check` of the bundled CUDA kernels: on the virtual GPU, through a driver that runs on it, and without a driver.

EQUINORM_BUNDLED_CUDA is the folder of the kernels, EQUINORM_FAKE_DRIVER the library that stands in for libcuda.so.
"""
import json
import os
import pathlib
import unittest

from support import CommandTest

ORDER = pathlib.Path(__file__).resolve().parent / "order" / "order.ptx"
BUNDLED = pathlib.Path(os.environ["EQUINORM_BUNDLED_CUDA"])
FAKE_DRIVER = os.environ["EQUINORM_FAKE_DRIVER"]
FEW_HEADS = ["--heads", "2", "--groups", "2"]


class Cuda(CommandTest):
    def holds(self, manifest, case, *arguments, **environment):
        run = self.run_json("check", BUNDLED / manifest, case, *arguments, **environment)
        result = run["cases"][0]
        self.assertEqual({row["verdict"] for row in result["kernel"]["conduct"]}, {"kept"}, result["kernel"])
        self.assertTrue(result["errors"])
        for row in result["errors"]:
            self.assertEqual(row["verdict"], "within", row)

    def test_each_stage_holds_on_the_virtual_gpu(self):
        for manifest, case, dims in (("cache_write/cache_write.bf16.json", "paper-tp8", ["--context", "9", *FEW_HEADS]),
                                     ("query/query.fp16.json", "paper-tp8", ["--context", "9", *FEW_HEADS]),
                                     ("explicit_decode/explicit_decode.mla.bf16.json", "paper-tp8", ["--context", "9", *FEW_HEADS]),
                                     ("explicit_decode/explicit_decode.gqa.bf16.json", "qwen3-8b", ["--context", "20", "--heads", "4", "--groups", "2"]),
                                     ("absorbed_plain/absorbed_plain.fp32.json", "paper-tp8", ["--context", "70", *FEW_HEADS]),
                                     ("absorbed_paged/absorbed_paged.bf16.json", "paper-tp8", ["--context", "70", *FEW_HEADS]),
                                     ("absorbed_mma/absorbed_mma.bf16.json", "paper-tp8", ["--context", "70"])):
            with self.subTest(manifest):
                self.holds(manifest, case, *dims, "--device", "virtual")

    def test_softcaps_and_full_width_norms_hold_on_the_virtual_gpu(self):
        capped, wide = ["--set", "softcap=5"], ["--set", "norm.scheme=full_width"]
        for manifest, dims in (("cache_write/cache_write.bf16_alpha.json", ["--context", "9", *FEW_HEADS, *wide]),
                               ("query/query.bf16.json", ["--context", "9", *FEW_HEADS, *wide]),
                               ("absorbed_paged/absorbed_paged.bf16.json", ["--context", "70", *FEW_HEADS, *capped, *wide]),
                               ("absorbed_mma/absorbed_mma.bf16_alpha.json", ["--context", "70", *wide]),
                               ("absorbed_mma/absorbed_mma.bf16.json", ["--context", "70", *capped])):
            with self.subTest(manifest):
                self.holds(manifest, "paper-tp8", *dims, "--device", "virtual")

    def test_the_cuda_backend_holds_on_the_fake_driver(self):
        self.holds("absorbed_mma/absorbed_mma.bf16.json", "paper-tp8", "--context", "40", EQUINORM_CUDA_DRIVER=FAKE_DRIVER)

    def order_kernel(self, entry):
        arguments = [{"tensor": "u"}, {"tensor": "w_v"}, {"tensor": "o"}, {"workspace": 0},
                     *({"int32": name} for name in ("heads", "groups", "latent", "value_dim"))]
        manifest = {"equinorm": 1, "name": entry, "path": "absorbed", "stages": ["output"], "outputs": {"o": {"dtype": "fp32"}},
                    "precision": {"storage": "fp32"}, "requires": {"model_dim": [0]},
                    "cuda": {"modules": {"sm_80": str(ORDER)}, "workspace": "batch*queries*heads*latent*4",
                             "launches": [{"entry": entry, "grid": ["batch*queries*heads"], "block": [64], "arguments": arguments}]}}
        path = self.folder / f"{entry}.json"
        path.write_text(json.dumps(manifest))
        return path

    def test_what_is_right_only_in_one_order_of_blocks_and_warps_fails(self):
        self.holds(self.order_kernel("right"), "mla-integers", "--device", "virtual")
        for entry, verdict in (("two_writers", "violates"), ("copy_by_one", "unsafe")):
            with self.subTest(entry):
                run = self.run_json("check", self.order_kernel(entry), "mla-integers", "--device", "virtual", code=1)
                self.assertIn(verdict, {row["verdict"] for row in [*run["cases"][0]["errors"], *run["cases"][0]["kernel"]["conduct"]]})
                # Alone in its own order nothing shows.
                self.run_json("check", self.order_kernel(entry), "mla-integers", "--device", "virtual", "--repeats", "1")

    def test_without_a_driver_it_is_skipped(self):
        result = self.succeed("check", BUNDLED / "query/query.fp32.json", "paper-tp8", EQUINORM_CUDA_DRIVER="/nonexistent/libcuda.so", code=3)
        self.assertIn("skipped: no driver", result.out + result.err)


if __name__ == "__main__":
    unittest.main()
