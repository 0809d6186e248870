"""`verify --hunt`: reproducible, better than its start, replayable, and it says so when an element lies beyond its bound."""
import shlex
import unittest

from support import CommandTest, run, without_seconds

SMALL = ["--context", "4", "--heads", "2", "--groups", "1", "--latent", "10", "--content-dim", "6", "--rope-dim", "4", "--value-dim", "3"]


class HuntTest(CommandTest):
    def hunt(self, name, *arguments, budget="600e", code=0, out="worst.safetensors"):
        """The JSON case of a hunt, and its file."""
        path = self.folder / out
        case = self.run_json("verify", name, "--hunt", budget, "--hunt-out", path, *arguments, code=code)["cases"][0]
        self.assertEqual(case["hunt"]["file"], str(path))
        return case, path

    def test_reproducible_by_evaluations(self):
        first, path = self.hunt("mla-blockwise-yarn")
        bits = path.read_bytes()
        for threads in ("1", "3"):
            again, path = self.hunt("mla-blockwise-yarn", "--threads", threads)
            self.assertEqual(without_seconds(again), without_seconds(first))
            self.assertEqual(path.read_bytes(), bits)
        self.assertEqual(first["hunt"]["evaluations"], 600)
        other, path = self.hunt("mla-blockwise-yarn", "--seed", "5")
        self.assertNotEqual(path.read_bytes(), bits)

    def test_improves_on_the_start(self):
        for name in ("mla-blockwise-yarn", "gqa-per-head-gated"):
            case, _ = self.hunt(name)
            for row in case["hunt"]["rows"]:
                self.assertGreaterEqual(row["worst_error_over_bound"], row["start_error_over_bound"], (name, row))
                self.assertGreaterEqual(row["worst_ulp"], row["start_ulp"], (name, row))
                self.assertLess(row["worst_error_over_bound"], 1, (name, row))
            self.assertTrue(any(row["worst_error_over_bound"] > row["start_error_over_bound"] for row in case["hunt"]["rows"]), name)

    def test_replay_gives_the_same_ratio(self):
        for name, arguments in (("mla-wide-tokens", ["--formats", "fp32"]), ("mla-from-x", []), ("mla-blockwise-yarn", SMALL),
                                ("mla-blockwise-yarn", ["--formats", "declared", "--set", "precision.q_tilde=bf16", "--set",
                                                        "precision.p=bf16", "--set", "precision.u=bf16", "--splits", "2"])):
            with self.subTest(case=name, arguments=arguments):
                case, _ = self.hunt(name, *arguments, budget="300e")
                kept = case["errors"][case["hunt"]["kept_row"]]
                words = shlex.split(case["reproduce"])
                self.assertEqual(words[:3], ["equinorm", "verify", name])
                replayed = self.run_json(*words[1:])["cases"][0]["errors"]
                row = [row for row in replayed if (row["path"], row["tensor"]) == (kept["path"], kept["tensor"])]
                self.assertEqual(len(row), 1)
                self.assertEqual(row[0]["error_over_bound"], kept["error_over_bound"])
                self.assertEqual(row[0]["max_ulp"], kept["max_ulp"])
                worst = max(row["worst_error_over_bound"] for row in case["hunt"]["rows"])
                self.assertEqual(kept["error_over_bound"], worst)

    def test_small_cases_are_hunted_as_they_are(self):
        case, _ = self.hunt("mla-blockwise-yarn", *SMALL, budget="20e")
        self.assertEqual(case["notes"], [])
        self.assertEqual((case["problem"]["context"], case["problem"]["heads"]), ([4], 2))
        case, _ = self.hunt("mla-blockwise-yarn", budget="20e")
        self.assertIn("hunted at context 6", case["notes"][0])

    def test_faulty_form_violates(self):
        case, path = self.hunt("mla-blockwise-yarn", "--mutant", "output-times-1.003", budget="60e", code=1)
        kept = case["errors"][case["hunt"]["kept_row"]]
        self.assertEqual((kept["tensor"], kept["verdict"]), ("o", "violates"))
        self.assertGreater(kept["error_over_bound"], 1)
        words = shlex.split(case["reproduce"])
        replayed = self.run_json(*words[1:], code=1)["cases"][0]["errors"]
        self.assertIn(kept["error_over_bound"], [row["error_over_bound"] for row in replayed])

    def test_several_arithmetics_get_a_file_each(self):
        self.succeed("verify", "mla-cosine", "--hunt", "20e", "--formats", "fp32,bf16/fp32", "--hunt-out", self.folder / "w.safetensors")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["w-mla-cosine-bf16-fp32.safetensors", "w-mla-cosine-fp32.safetensors"])

    def test_seconds(self):
        case, _ = self.hunt("mla-cosine", budget="0.3s")
        self.assertGreater(case["hunt"]["evaluations"], 1)

    def test_bad_requests(self):
        for budget in ("60", "0s", "-1s", "2.5e", "1d", "nan", "1e9s"):
            self.reject(["--hunt", "2000e"], "verify", "mla-cosine", f"--hunt={budget}")
        self.reject(["--hunt"], "verify", "mla-cosine", "--hunt", "")
        hunt = ["verify", "mla-cosine", "--hunt", "5e"]
        self.reject(["--hunt", "--exact-only"], *hunt, "--exact-only")
        self.reject(["--hunt", "--sensitivity"], *hunt, "--sensitivity")
        self.reject(["--hunt", "--weights"], *hunt, "--weights", "model.safetensors")
        self.reject(["--hunt", "real:100"], *hunt, "--formats", "real:100")
        self.reject(["--mutant", "declared"], *hunt, "--mutant", "output-times-1.003", "--formats", "fp32")
        self.reject(["--hunt-out"], "verify", "mla-cosine", "--hunt-out", "f.safetensors")
        self.reject(["nowhere"], *hunt, "--hunt-out", self.folder / "nowhere" / "f.safetensors")


if __name__ == "__main__":
    unittest.main()
