"""Every row of tests/kernels/faulty/faults.json through `equinorm check`: the fault is caught with the verdict that the row names, and the
kernel without a fault is never rejected.

EQUINORM_KERNELS is the folder of the bundled kernels; the faulty ones lie beside it.
"""
import json
import os
import pathlib
import unittest

from support import CommandTest, run

FAULTY = pathlib.Path(os.environ["EQUINORM_KERNELS"]).parent / "faulty_kernels"
ROWS = json.loads((pathlib.Path(__file__).resolve().parent.parent / "kernels" / "faulty" / "faults.json").read_text())
HARMLESS = {"within", "kept", "measured", "skipped", "undecided"}
# What check calls the row's expectation, where the words differ. A stale output may show as wrong numbers or by its bits.
WORDS = {"wrote out of bounds": {"out of bounds"}, "stale": {"stale output", "violates"}, "crashed": {"crashed", "misbehaved"}}
# Which fault it is, is said of every row that violates but these: a page far away is read, which no form of the catalogue does.
NOT_NAMED = {"page-index-32bit"}


class Faults(CommandTest):
    def failing(self, row):
        """Exit code, and the verdicts of a run that are failures."""
        path = self.folder / "run.json"
        path.unlink(missing_ok=True)
        library = FAULTY / f"faulty.{row['id']}.{row['storage']}.so"
        result = run("check", library, row["case"], "--timeout", "10", "--json", path, "-q")
        self.assertEqual(result.err, "", row)
        verdicts, self.named = set(), []
        for case in json.loads(path.read_text())["cases"]:
            self.named += [fault["fault"] for fault in case.get("known_faults", [])]
            verdicts |= {error["verdict"] for error in case["errors"]} | {part["verdict"] for part in case["kernel"]["conduct"]}
        return result.code, verdicts - HARMLESS

    def test_every_row(self):
        self.assertGreater(len(ROWS), 70)
        judged, found = set(), set()
        for row in ROWS:
            with self.subTest(row):
                code, failures = self.failing(row)
                if row["expect"] == "within":
                    self.assertIn(code, (0, 3))
                    self.assertEqual((failures, self.named), (set(), []))
                    continue
                self.assertEqual(code, 1)
                wanted = WORDS.get(row["expect"], {row["expect"]})
                self.assertTrue(row["expect"] == "caught" or failures & wanted, failures)
                if row["expect"] == "violates":
                    judged.add(row["id"])
                    found |= {row["id"]} & set(self.named)
        self.assertLessEqual(judged - found, NOT_NAMED)
        self.assertGreater(len(found), 55)


if __name__ == "__main__":
    unittest.main()
