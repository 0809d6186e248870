"""`equinorm check`: bundled kernels hold on every case, faulty ones are caught with the verdict that belongs to them.

EQUINORM_KERNELS is the folder of the bundled kernels.
"""
import os
import pathlib
import re
import unittest

from support import SOURCE, CommandTest, without_seconds, write_safetensors  # sets the path to tests/python

from decimal_files import read_safetensors

KERNELS = pathlib.Path(os.environ["EQUINORM_KERNELS"])
SMALL = ["--context", "70", "--heads", "4", "--groups", "4", "--latent", "64", "--content-dim", "32", "--rope-dim", "16", "--value-dim", "24"]


def conduct(case):
    return {row["what"]: row["verdict"] for row in case["kernel"]["conduct"]}


class Check(CommandTest):
    def test_every_bundled_kernel_holds(self):
        libraries = sorted(KERNELS.glob("*.so"))
        self.assertGreater(len(libraries), 20)
        for library in libraries:
            case = "qwen3-8b" if library.name.startswith("gqa") else "paper-tp8"
            dims = ["--context", "70"] if case == "qwen3-8b" else SMALL
            with self.subTest(library.name):
                run = self.run_json("check", library, case, *dims, "--inputs", "planted-key")
                result = run["cases"][0]
                self.assertEqual(set(conduct(result).values()), {"kept"})
                self.assertTrue(result["errors"])
                for row in result["errors"]:
                    self.assertEqual(row["verdict"], "within", row)
                    self.assertLessEqual(row["error_over_bound"], 1)

    def test_a_folder_that_cannot_be_made_is_refused_before_the_first_run(self):
        (self.folder / "file").write_text("kept")
        self.reject(["--keep", "folder that can be made"], "check", KERNELS / "output_fp32.so", "mla-integers", "--keep", self.folder / "file" / "x")

    def test_the_quick_matrix_at_the_papers_shape(self):
        run = self.run_json("check", KERNELS / "absorbed_tiled_bf16.so", "--cases", "quick")
        self.assertGreaterEqual(len(run["cases"]), 10)
        tensors = {row["tensor"] for case in run["cases"] for row in case["errors"]}
        self.assertEqual(tensors, {"u", "lse"})
        settings = {row["path"] for case in run["cases"] for row in case["errors"]}
        self.assertEqual(settings, {"alone", "in path"})

    def test_no_case_of_the_matrix_is_another_one_for_a_kernel(self):
        """A kernel's declaration replaces the whole precision: cases that differ there alone would be judged twice."""
        text = (SOURCE / "commands" / "check_matrix.cpp").read_text()
        entries = re.findall(r'\{"([\w.+-]+)", "([^"]*)"\}', text)
        self.assertGreater(len(entries), 40)
        self.assertEqual(len(entries), len(set(entries)))
        for base, fields in entries:
            self.assertNotRegex(fields, "splits|tile|storage|accumulate|precision", base)

    def test_the_same_run_gives_the_same_json(self):
        arguments = ("check", KERNELS / "absorbed_decode_fp32.so", "paper-tp8", *SMALL)
        one, two = (self.run_json(*arguments) for _ in range(2))
        self.assertEqual(without_seconds(one), without_seconds(two))

    def test_ragged_batches_and_claims(self):
        run = self.run_json("check", KERNELS / "absorbed_decode_bf16.so", "paper-tp8", *SMALL, "--batch", "3", "--set", "context=70,0,17")
        self.assertEqual(conduct(run["cases"][0])["batch-invariant"], "kept")
        self.assertEqual(conduct(run["cases"][0])["bit-reproducible"], "kept")

    def test_explicit_positions(self):
        library = KERNELS / "absorbed_path_fp32.so"
        for extra in ((), ("--batch", "2", "--set", "context=70,9", "--queries", "3")):
            run = self.run_json("check", library, "paper-tp8+positions", *SMALL, *extra)
            self.assertEqual({row["verdict"] for row in run["cases"][0]["errors"]}, {"within"})
        # Its line says so too, and the fault that reads no positions is caught.
        self.assertIn("+positions", run["cases"][0]["reproduce"])
        faulty = KERNELS.parent / "faulty_kernels" / "faulty.position-off-by-one.fp16.so"
        run = self.run_json("check", faulty, "paper-tp8+positions", *SMALL, code=1)
        self.assertIn("violates", {row["verdict"] for row in run["cases"][0]["errors"]})

    def test_queries_before_the_first_token_have_no_rotation_to_judge(self):
        run = self.run_json("check", KERNELS / "query_fp32.so", "paper-tp8", *SMALL, "--set", "context=3", "--queries", "5")
        rows = {row["tensor"]: row for row in run["cases"][0]["errors"]}
        self.assertIn("q_rope_hat", rows)
        self.assertEqual({row["verdict"] for row in rows.values()}, {"within"})

    def test_positions_beyond_the_context(self):
        """RoPE tables of more rows than there are tokens reach the kernel as they are."""
        case = ["paper-tp8", *SMALL, "--set", "precision.storage=fp32"]
        near, far, moved = (self.folder / f"{name}.safetensors" for name in ("near", "far", "moved"))
        self.succeed("generate", *case, "--out", near)
        self.succeed("generate", *["120" if word == "70" else word for word in case], "--out", far)
        tensors = {name: ("F32", x.shape, [float(v) for v in x.values]) for name, x in read_safetensors(near).items()}
        tables = read_safetensors(far)
        for name in ("rope_cos", "rope_sin"):
            self.assertEqual((tensors[name][1][0], tables[name].shape[0]), (70, 120))
            tensors[name] = ("F32", tables[name].shape, [float(v) for v in tables[name].values])
        tensors["positions_k"] = ("I64", [1, 70], [t + 50 for t in range(70)])
        tensors["positions_q"] = ("I64", [1, 1], [119])
        write_safetensors(moved, tensors)
        self.reject(["rope_cos", "120"], "verify", *case, "--set", "inputs.kind=file", "--set",
                    f"inputs.path={self.without_rows(moved, tensors)}")
        for kernel in ("absorbed_path_fp32.so", "explicit_path_fp32.so"):
            run = self.run_json("check", KERNELS / kernel, *case, "--set", "inputs.kind=file", "--set", f"inputs.path={moved}")
            self.assertEqual(set(conduct(run["cases"][0]).values()), {"kept"})
            for row in run["cases"][0]["errors"]:
                self.assertEqual(row["verdict"], "within", row)

    def without_rows(self, path, tensors):
        """The same with tables of 70 rows: too few for position 119."""
        short = {name: (kind, [70, *shape[1:]], values[:70 * shape[1]]) if name.startswith("rope_") else (kind, shape, values)
                 for name, (kind, shape, values) in tensors.items()}
        return write_safetensors(path.with_name("short.safetensors"), short)

    def test_a_case_that_the_kernel_does_not_serve_is_skipped(self):
        run = self.run_json("check", KERNELS / "absorbed_decode_bf16.so", "qwen3-8b", "--context", "20", code=3)
        self.assertEqual(conduct(run["cases"][0]), {"runs": "skipped"})

    def test_what_no_machine_holds_is_skipped_at_once(self):
        """The keys of 2^20 tokens with heads of 131,074 dimensions, 48 bytes a number: 6 TiB. Nothing is made of them."""
        huge = ["--context", "1048576", "--heads", "1", "--groups", "1", "--latent", "8", "--content-dim", "131072", "--rope-dim", "2",
                "--value-dim", "8"]
        for kernel in ("explicit_path_fp32.so", "explicit_attention_bf16.so"):  # one makes k_hat, the other gets it
            run = self.run_json("check", KERNELS / kernel, "paper-tp8", *huge, code=3)
            (row,) = run["cases"][0]["kernel"]["conduct"]
            self.assertEqual((row["what"], row["verdict"], run["cases"][0]["errors"]), ("runs", "skipped", []))
            self.assertRegex(row["detail"], r"^1\.37e\+11 numbers handed over or judged take about 61\d\d GiB; allowed: \d+ GiB on this machine$")
        # So is what is too large by its inputs, and the cases that fit are judged all the same.
        matrix = ("--context", "65536", "--heads", "1048576")
        run = self.run_json("check", KERNELS / "absorbed_tiled_bf16.so", "paper-tp8", "--set", "groups=1", *matrix, code=3)
        (row,) = run["cases"][0]["kernel"]["conduct"]
        self.assertEqual(row["verdict"], "skipped")
        for words in ("heads is 1048576", "context 65536", "6.87e+10 scores", "GiB; allowed:", "fewer --heads"):
            self.assertIn(words, row["detail"])
        plan = self.succeed("check", KERNELS / "explicit_path_fp32.so", "paper-tp8", *huge, "--dry-run").out
        self.assertRegex(plan, r"61\d\d\.\d GiB  0 paper-tp8")

    def test_bad_usage(self):
        self.reject(["no-such.so"], "check", "no-such.so", "paper-tp8")
        self.reject(["--device", "declared"], "check", KERNELS / "absorbed_decode_bf16.so", "paper-tp8", "--device", "tpu")
        self.reject(["--cases", "quick"], "check", KERNELS / "absorbed_decode_bf16.so", "--cases", "slow")
        text = self.folder / "text.so"
        text.write_text("no library")
        self.reject(["text.so"], "check", text, "paper-tp8")


if __name__ == "__main__":
    unittest.main()
