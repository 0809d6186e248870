"""`report`: one small case end to end, with gnuplot and without, and what it refuses."""
import csv
import json
import re
import shutil
import unittest
import xml.etree.ElementTree as ElementTree

from support import CommandTest, as_settings, builtin, shrinking

CASE = "mla-blockwise-yarn"
SMALL = as_settings(shrinking(builtin("cases")[CASE], tokens=12))


class ReportTest(CommandTest):
    def make(self, *more, **environment):
        out = self.folder / "out"
        result = self.succeed("report", CASE, *SMALL, "--formats", "bf16,fp32", "--out", out, *more, **environment)
        return out, result

    def check_files(self, out):
        self.assertEqual([path.name for path in out.rglob("*.tmp")], [])
        html, markdown = (out / "report.html").read_text(), (out / "report.md").read_text()
        for text in (html, markdown):
            for heading in ("The same function?", "stage by stage", "units in the last place", "stored in 16 bits", "Growth of the error",
                            "Logit control", "Every verdict"):
                self.assertIn(heading, text)
            for share in ("1.56 %", "2.78 %", "22.22 %"):
                self.assertIn(share, text)
            self.assertIn(f"equinorm report {CASE}", text)
        self.assertIsNone(re.search(r"(src|href)\s*=\s*[\"']?https?:|<script|@import|url\(", html), "the page must stand alone")
        return html, markdown

    def check_numbers(self, out):
        root = json.loads((out / "report.json").read_text())
        self.assertEqual(root["schema"], "equinorm-report")
        case = root["run"]["cases"][0]
        self.assertEqual([check["verdict"] for check in case["exact_checks"]], ["equal"] * 3)
        tensors = {row["tensor"] for row in case["errors"]}
        self.assertLessEqual({"alpha_k", "k_hat", "q_hat", "q_tilde", "k_rope_cached", "q_rope_hat", "logits", "lse", "p", "u", "o"}, tensors)
        self.assertTrue(all(row["verdict"] in ("within", "measured") for row in case["errors"]), case["errors"])
        storage = root["cases"][0]["storage"]
        self.assertEqual({row["tensor"] for row in storage}, {"alpha_k", "q_tilde", "g", "k0", "p", "u", "v", "o", "q_hat, k_hat"})
        for row in storage:
            self.assertLessEqual(row["error"], row["bound"], row)
            self.assertLessEqual(row["bound_all_fp32"], row["bound"], row)
        for row in storage:
            if row["predicted_rms_change"] is not None and row["format"] == "bf16":
                self.assertTrue(0.3 < row["rms_change"] / row["predicted_rms_change"] < 3, row)
        for histogram in root["cases"][0]["histograms"]:
            counted = sum(entry["elements"] for entry in histogram["counts"])
            self.assertEqual(counted + histogram["exact"] + histogram["nonfinite"], histogram["elements"])
        grades = {(s["dimension"], s["arithmetic"], s["path"], s["tensor"]): s["grade"] for s in root["growth"]}
        self.assertEqual(len(grades), 24)
        self.assertTrue(set(grades.values()) <= set("ABC"), grades)
        points = root["logit_control"]["max_abs_logit"]
        self.assertEqual([point["factor"] for point in points], [2 ** k for k in range(9)])
        for point in points:
            self.assertLessEqual(point["qk_norm"], root["logit_control"]["norm_limit"])
        self.assertAlmostEqual(points[8]["no_norm"] / points[0]["no_norm"], 2 ** 16, delta=1)
        self.assertLess(points[8]["qk_clip"], points[8]["no_norm"] / 100)
        with open(out / "report.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual({row["section"] for row in rows} & {"exact", "error", "histogram", "storage", "cache", "logit control"},
                         {"exact", "error", "histogram", "storage", "cache", "logit control"})
        for row in rows:
            if row["section"] == "error" and row["quantity"] == "max_abs":
                float(row["value"])

    @unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot")
    def test_small_case(self):
        out, result = self.make()
        html, markdown = self.check_files(out)
        self.check_numbers(out)
        self.assertNotIn("figure skipped", html)
        pictures = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
        self.assertEqual(len(pictures), 7)
        ids = re.findall(r"\bid=[\"']([^\"']+)", html)
        self.assertEqual(len(ids), len(set(ids)), "ids of different figures must differ")
        for picture in pictures:
            ElementTree.fromstring(picture.replace("xlink:href", "href"))
        links = re.findall(r"\]\((figures/[^)]+)\)", markdown)
        self.assertEqual(len(links), 7)
        for link in links:
            ElementTree.parse(out / link)

    def test_without_gnuplot(self):
        empty = self.folder / "empty"
        empty.mkdir()
        out, result = self.make(PATH=str(empty))
        html, markdown = self.check_files(out)
        self.assertIn("figure skipped: no gnuplot", html)
        self.assertIn("figure skipped: no gnuplot", markdown)
        self.assertIn("skipped: no gnuplot", result.out)
        self.assertNotIn("<svg", html)
        self.assertNotIn("<details><summary>Data of figure", html)
        self.assertEqual(list((out / "figures").iterdir()), [])

    def test_refusals(self):
        file = self.folder / "file"
        file.write_text("")
        self.reject(["--out"], "report", CASE)
        self.reject(["--out", "cannot be made"], "report", CASE, "--out", file)
        self.reject(["no-such-case"], "report", "no-such-case", "--out", self.folder / "x")
        self.reject(["fp7"], "report", CASE, "--formats", "fp7", "--out", self.folder / "x")
        self.assertFalse((self.folder / "x").exists())


if __name__ == "__main__":
    unittest.main()
