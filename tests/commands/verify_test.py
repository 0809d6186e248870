"""`verify`: good cases hold, every catalogued fault is caught, results do not depend on threads or vector instructions."""
import json
import math
import shlex
import unittest
import xml.etree.ElementTree as ElementTree

from support import SOURCE, CommandTest, as_settings, builtin, run, shrinking, without_seconds

METHODS = ["prime field", "rationals", "precision ladder"]


class Suite:
    """The default suite's cases, made small."""

    def __init__(self):
        self.settings = {name: as_settings(shrinking(problem, tokens=12)) for name, problem in builtin("cases").items()}


SUITE = Suite()


class VerifyTest(CommandTest):
    def test_every_case_holds(self):
        for name, settings in SUITE.settings.items():
            with self.subTest(case=name):
                case = self.run_json("verify", name, "--exact-only", *settings)["cases"][0]
                self.assertEqual([(check["method"], check["verdict"]) for check in case["exact_checks"]], [(m, "equal") for m in METHODS])
                self.assertLess(case["exact_checks"][0]["false_equal_log2"], -40)

    def test_measured_errors(self):
        """In fp64 both forms are near the exact value; narrower formats are further away."""
        case = self.run_json("verify", "mla-blockwise-yarn", *SUITE.settings["mla-blockwise-yarn"])["cases"][0]
        normwise = {(row["arithmetic"], row["path"], row["tensor"]): row["normwise"] for row in case["errors"]}
        for path in ("explicit", "absorbed"):
            errors = [normwise[arithmetic, path, "o"] for arithmetic in ("bf16", "fp32", "fp64")]
            self.assertTrue(errors[0] > 100 * errors[1] > 1e4 * errors[2], errors)
            self.assertLess(errors[2], 2.0 ** -45)
        for row in case["errors"]:
            judged = row["unbounded"] == 0
            self.assertEqual(row["verdict"], "within" if judged else "measured", row)
            if row["arithmetic"] in ("fp16/fp32", "bf16/fp32", "fp32", "fp64"):
                self.assertTrue(judged, row)
                self.assertLessEqual(row["error_over_bound"], 1)

    def test_error_beside_a_bound_has_the_inputs_as_they_are_kept(self):
        """Inputs made in fp32 do not fit bf16: the error of a logit on the inputs as given is beyond any bound of the arithmetic alone."""
        case = self.run_json("verify", "gqa-from-x-window", "--context", "24", "--formats", "bf16/fp32")["cases"][0]
        rows = [row for row in case["errors"] if row["tensor"] == "logits"]
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual(row["verdict"], "within", row)
            self.assertLess(0, row["judged_error"])
            self.assertLessEqual(row["judged_error"], row["bound"])
            self.assertGreater(row["max_abs"], row["bound"])

    def test_declared_tensor_core_order(self):
        """The matrix unit's cuts show beside the sequential chain of the same formats, but are no larger than what bf16 costs."""
        def error(order):
            case = self.run_json("verify", "mla-blockwise-yarn", "--context", "24", "--heads", "2", "--groups", "1", "--formats", "declared",
                                 "--set", "precision.storage=bf16", "--set", "precision.k_hat=bf16", "--set", "precision.q_hat=bf16",
                                 "--set", "precision.q_tilde=bf16", "--set", f"precision.order={order}")["cases"][0]
            return {(row["path"], row["tensor"]): row["normwise"] for row in case["errors"]}
        chain, unit = error("sequential"), error("tensor-core:sm_80")
        self.assertEqual(chain.keys(), unit.keys())
        self.assertNotEqual(chain, unit)
        for key, value in unit.items():
            self.assertLess(value, 2 * chain[key], key)

    def test_overflow_is_shown(self):
        name = "mla-wide-tokens"
        path = self.folder / "run.json"
        result = self.succeed("verify", name, "--formats", "fp16,fp32", "--context", "40", "--heads", "2", "--groups", "1", "--json", path)
        self.assertIn("not finite", result.out)
        case = json.loads(path.read_text())["cases"][0]
        wide = [row for row in case["errors"] if row["arithmetic"] == "fp16"]
        self.assertTrue(any(row["nonfinite"] > 0 for row in wide))
        self.assertTrue(any(row["nonfinite"] > 0 for row in case["differences"] if row["arithmetic"] == "fp16"))
        self.assertFalse(any(row["nonfinite"] > 0 for row in case["errors"] if row["arithmetic"] == "fp32"))


class MutantTest(CommandTest):
    def mutants(self):
        """{id: letters of what must become of it}."""
        rows = self.succeed("list", "mutants").out.splitlines()[1:-2]
        return {row[:29].strip(): row[30:35].split() for row in rows}

    def catch(self, mutant, code=1):
        """Runs the fault on the first small case where it is one; the case's JSON."""
        for name, settings in SUITE.settings.items():
            path = self.folder / "run.json"
            result = run("verify", name, "--mutant", mutant, "--exact-only", *settings, "--json", path)
            if result.code == 2 and "is the same function" in result.err:
                continue
            self.assertEqual((result.code, result.err), (code, ""), f"{mutant} on {name}: {result}")
            return name, result, json.loads(path.read_text())["cases"][0]
        self.fail(f"{mutant} is a fault on no case of the suite")

    def test_every_mutant_is_caught(self):
        mutants = [mutant for mutant, must in self.mutants().items() if "E" in must]
        self.assertGreater(len(mutants), 40)
        for mutant in mutants:
            with self.subTest(mutant=mutant):
                name, result, case = self.catch(mutant)
                field = case["exact_checks"][0]
                self.assertEqual(field["verdict"], "different", f"{mutant} on {name}")
                self.assertNotIn("equal", [check["verdict"] for check in case["exact_checks"]], f"{mutant} on {name}")
                departure = field["first_difference"]
                self.assertIn(f"stage {departure['stage']}, tensor {departure['tensor']}", result.out)
                self.assertIn(f"reproduce: {case['reproduce']}", result.out)
                self.assertEqual(case["mutant"], mutant)

    def test_mutants_that_exact_checks_cannot_show(self):
        """The lse's base shows on the ladder; the others must go beyond a bound or end in what is not finite, or stay undecided here."""
        shown = {mutant: must for mutant, must in self.mutants().items() if "E" not in must}
        self.assertEqual({must[0] for must in shown.values()}, {"R", "S", "P", "V"})
        self.assertGreaterEqual(len(shown), 14)
        for mutant, must in shown.items():
            with self.subTest(mutant=mutant):
                result, case = self.run_fault(mutant)
                verdicts = [check["verdict"] for check in case["exact_checks"]]
                self.assertEqual(verdicts, ["not run", "not run", "different" if must[0] == "R" else "not run"])
                failing = {row["verdict"] for row in case["errors"]} & {"violates", "nonfinite"}
                self.assertEqual(result.code, 1 if failing or must[0] == "R" else 3)
                if must[0] == "S":
                    self.assertEqual(failing, {"nonfinite"})
                self.assertNotIn("within", [row["verdict"] for row in case["errors"]] if not failing else [])
                self.assertEqual(len(case["notes"]), 1)
                self.assertIn(case["notes"][0], result.out)

    def run_fault(self, mutant):
        """The first small case where the fault acts, exact checks and bounds."""
        for name, settings in SUITE.settings.items():
            path = self.folder / "run.json"
            result = run("verify", name, "--mutant", mutant, *settings, "--json", path)
            if result.code == 2 and "is the same function" in result.err:
                continue
            self.assertIn(result.code, (1, 3), f"{mutant} on {name}: {result}")
            return result, json.loads(path.read_text())["cases"][0]
        self.fail(f"{mutant} is a fault on no case of the suite")

    def test_the_suite_catches_the_catalogue(self):
        """Under the bounds of the cases' own declared arithmetics every entry of the catalogue goes beyond one, at full size."""
        document = self.run_json("verify", "--sensitivity")
        rows = [row for case in document["cases"] for row in case["sensitivity"]]
        caught = {row["mutant"] for row in rows if row["verdict"] in ("violates", "nonfinite")}
        self.assertEqual(caught, set(self.mutants()))
        self.assertIn("within", {row["verdict"] for row in rows})  # no case catches everything: the judge does not just say no
        for row in rows:
            self.assertEqual(row["verdict"] in ("violates", "nonfinite"), row["caught_by"] != "", row)

    def test_reproduction_line(self):
        """Fails again in the same way, awkward words included."""
        problem = json.loads((SOURCE / "problem" / "cases" / "mla-full-width-ragged.json").read_text())
        path = self.write_problem(problem, "a problem's file.json")
        for extra in (["--mutant", "output-zero", "--exact-only"], ["--mutant", "eps-1e-2", "--exact-only", "--formats", "bf16,fp32"]):
            arguments = ["verify", path, "--context", "[0,3,5,2]", "--set", "name=a b", "--set", "latent=9", *extra]
            first = self.run_json(*arguments, code=1)["cases"][0]
            words = shlex.split(first["reproduce"])
            self.assertEqual(words[0], "equinorm")
            again = self.run_json(*words[1:], code=1)["cases"][0]
            self.assertEqual(without_seconds(again), without_seconds(first))


class SameResultTest(CommandTest):
    CASES = ("mla-from-x", "mla-full-width-ragged", "gqa-per-head-gated")

    def run_case(self, name, *more, **environment):
        return without_seconds(self.run_json("verify", name, *SUITE.settings[name], *more, **environment))

    def test_threads(self):
        for name in self.CASES:
            self.assertEqual(self.run_case(name, "--threads", "1"), self.run_case(name, "--threads", "2"))

    def test_vector_instructions(self):
        for name in self.CASES:
            self.assertEqual(self.run_case(name, EQUINORM_SIMD="portable"), self.run_case(name))

    def test_seeds_matter(self):
        self.assertNotEqual(self.run_case("mla-from-x", "--seed", "1")["cases"][0]["errors"],
                            self.run_case("mla-from-x", "--seed", "2")["cases"][0]["errors"])


class FilesTest(CommandTest):
    def fields_of_schema(self):
        """{heading: names} of the fields that SCHEMA.md describes."""
        text = (SOURCE / "report" / "SCHEMA.md").read_text()
        return set(word for piece in text.split("`")[1::2] for word in [piece.strip()] if word.replace("_", "").isalnum())

    def names_in(self, value):
        if isinstance(value, dict):
            return set(value).union(*(self.names_in(member) for key, member in value.items() if key != "problem"))
        return set().union(*(self.names_in(member) for member in value)) if isinstance(value, list) else set()

    def test_json_follows_its_schema(self):
        described = self.fields_of_schema()
        whole = self.run_json("verify", "mla-integers", "--context", "12")
        failing = self.run_json("verify", "mla-integers", "--context", "12", "--mutant", "output-zero", code=1)
        for run_json, code in ((whole, 0), (failing, 1)):
            self.assertEqual(set(run_json), {"schema", "schema_version", "command", "exit_code", "seconds", "cases"})
            self.assertEqual((run_json["schema"], run_json["schema_version"], run_json["exit_code"]), ("equinorm-run", 1, code))
            self.assertFalse(self.names_in(run_json) - described, "fields that SCHEMA.md does not describe")
        case = whole["cases"][0]
        self.assertEqual(set(case["errors"][0]), {"arithmetic", "path", "tensor", "format", "elements", "nonfinite", "max_abs", "max_relative",
                                                  "max_ulp", "normwise", "worst_index", "bound", "error_over_bound", "judged_error", "unbounded",
                                                  "verdict", "detail", "main_stage"})
        self.assertEqual(case["exact_checks"][2]["rungs"][0].keys(), {"bits", "log2_difference"})
        self.assertTrue(math.isclose(case["exact_checks"][2]["slope"], -1, abs_tol=0.02))
        self.assertEqual(failing["cases"][0]["exact_checks"][0]["first_difference"].keys(), {"stage", "tensor", "index", "explicit", "absorbed"})

    def test_junit_counts(self):
        path = self.folder / "junit.xml"
        problem = self.write_problem({**builtin("cases")["mla-integers"], "name": "a<b>&\"c\"'"})
        for arguments, code, failures in ((["mla-integers", problem], 0, 0), ([problem, "--mutant", "output-zero"], 1, 3)):
            self.succeed("verify", *arguments, "--context", "12", "--exact-only", "--junit", path, code=code)
            root = ElementTree.parse(path).getroot()
            self.assertEqual((root.tag, int(root.get("failures")), int(root.get("skipped"))), ("testsuites", failures, 0))
            tests = list(root.iter("testcase"))
            self.assertEqual(int(root.get("tests")), len(tests))
            self.assertEqual(len(list(root.iter("failure"))), failures)
            for suite in root:
                self.assertEqual(int(suite.get("tests")), len(suite.findall("testcase")))
                self.assertEqual(int(suite.get("failures")), len(suite.findall("testcase/failure")))
            self.assertEqual(root[-1].get("name"), "a<b>&\"c\"'")


if __name__ == "__main__":
    unittest.main()
