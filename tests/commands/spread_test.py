"""Ranks, shards, journals: results are those of one process, and what does not belong together is refused."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import time
import unittest

from spread import (BINARY, ONE_THREAD, SpreadTest, edit_header, journal_lines, kill_group, mpirun_words, run_ranks, start, why_no_mpi)
from support import builtin, changed, run, shrinking, without_seconds

NO_MPI = why_no_mpi()
KERNELS = pathlib.Path(os.environ["EQUINORM_KERNELS"])
FAULTY = KERNELS.parent / "faulty_kernels"


class SameResultTest(SpreadTest):
    def check(self, arguments, code=0):
        whole = self.complete(0, *arguments, code=code)
        self.assertEqual(whole[0]["exit_code"], code)
        for ranks in () if NO_MPI else (1, 2, 3):
            self.assertEqual(self.complete(ranks, *arguments, code=code), whole, f"{ranks} ranks")
        for count in (2, 5):
            folders = [self.shard(index, count, *arguments) for index in range(1, count + 1)]
            self.assertEqual(self.merged(reversed(folders), code=code), whole, f"{count} shards")
            for folder in folders:
                shutil.rmtree(folder)
        if not NO_MPI:
            folders = [self.folder / "one", self.folder / "two"]
            for index, folder in enumerate(folders, 1):
                result = run_ranks(2, *arguments, *ONE_THREAD, "--shard", f"{index}/2", "--resume", folder)
                self.assertEqual(result.code, 0, result)
            self.assertEqual(self.merged(folders, code=code), whole, "2 shards of 2 ranks")
            for folder in folders:
                shutil.rmtree(folder)

    def test_suite(self):
        self.check(["verify", *self.files])

    def test_a_failing_run(self):
        self.check(["verify", *self.files[:2], "--mutant", "output-zero"], code=1)

    def test_seeds(self):
        arguments = ["verify", self.files[0], "--seeds", "3", "--formats", "bf16/fp32", "--seed", "5"]
        self.check(arguments)
        cases = self.complete(0, *arguments)[0]["cases"]
        self.assertEqual([case["problem"]["inputs"]["seed"] for case in cases], [5, 6, 7])
        alone = self.complete(0, "verify", self.files[0], "--formats", "bf16/fp32", "--seed", "6")[0]["cases"][0]
        self.assertEqual(alone, cases[1])

    def test_sensitivity(self):
        arguments = ["verify", *self.files[:2], "--sensitivity"]
        self.check(arguments, code=run(*arguments, "-q").code)

    def test_a_case_that_is_cut(self):
        """The prime field at two points and both arithmetics, each on two rows and three groups of heads, and two exact checks of small size."""
        arguments = self.cut_arguments()
        units = self.succeed(*arguments, "--dry-run", *ONE_THREAD).out
        self.assertIn("26 units: ", units)
        self.assertIn("fp32, row 1, heads 4 to 5", units)
        self.assertIn("prime field, point 2, row 1, heads 4 to 5", units)
        self.check(arguments)

    def test_exact_checks_that_are_cut(self):
        """A cut case says what the whole one says: text, JSON and JUnit, but for times and the command itself."""
        problems = builtin("cases")
        shapes = {"context": [14, 3, 9], "batch": 3, "queries": 2, "heads": 4, "groups": 2, "latent": 12, "content_dim": 8, "rope_dim": 4, "value_dim": 5}
        ragged = self.write_problem(changed(problems["mla-blockwise-yarn"], shapes), "ragged.json")
        gqa = changed(problems["gqa-per-head-gated"], {"context": [7, 12], "batch": 2, "heads": 6, "groups": 3})
        from_x = changed(problems["mla-from-x"], {**shrinking(problems["mla-from-x"], tokens=12), "batch": 2, "context": [12, 6]})
        # A key window beyond all of row 0 and of row 1: the fault departs in the last row.
        late = changed(problems["mla-window-edge"], {**shapes, "context": [5, 4, 20], "mask": {"kind": "window", "window": 9}})
        cases = [(ragged,), (self.write_problem(gqa, "gqa.json"),), (self.files[1],), (self.write_problem(from_x, "from-x.json"),),
                 (self.write_problem(late, "late.json"), "--mutant", "window-off-by-one"), (ragged, "--mutant", "wrong-group"),
                 (ragged, "--mutant", "eps-1e-2"), (self.files[1], "--mutant", "scale-twice")]
        for case in cases:
            code = 1 if "--mutant" in case else 0
            with self.subTest(case=case):
                arguments = ["verify", *case, "--exact-only"]
                self.assertIn("point 2", self.succeed(*arguments, "--cut", "1", "--dry-run", *ONE_THREAD).out)
                whole = self.complete(0, *arguments, "--cut", "1e99", code=code)
                cut = self.complete(0, *arguments, "--cut", "1", code=code)
                if "late.json" in str(case[0]):
                    self.assertEqual(cut[0]["cases"][0]["exact_checks"][0]["first_difference"]["index"][0], 2)
                self.assertEqual(*(re.sub(r" --cut [0-9.e+]+", "", json.dumps(result)) for result in (cut, whole)))
                shown = [self.succeed(*arguments, "--cut", cut_at, *ONE_THREAD, code=code).out for cut_at in ("1", "1e99")]
                self.assertEqual(*(re.sub(r" --cut [0-9.e+]+|[0-9.]+ m?s\b| +", " ", text) for text in shown))
        self.check(["verify", ragged, "--exact-only", "--cut", "1"])
        self.check(["verify", self.files[1], "--exact-only", "--cut", "1", "--mutant", "scale-twice"], code=1)

    def test_a_mutant_that_is_cut(self):
        arguments = ["--mutant", "output-times-1.003"]
        self.assertIn("bounds, row 1, heads 4 to 5", self.succeed(*self.cut_arguments(), *arguments, "--dry-run", *ONE_THREAD).out)
        self.check([*self.cut_arguments(), *arguments], code=1)

    def test_hunt(self):
        """Shards of a hunt bring the worst inputs along: the files are written by merge."""
        kept = self.folder / "kept.safetensors"
        arguments = ["verify", self.files[0], self.files[2], "--hunt", "60e", "--seeds", "2", "--hunt-out", kept]
        whole = self.complete(0, *arguments)
        files = [case["hunt"]["file"] for case in whole[0]["cases"]]
        self.assertEqual(len(set(files)), 4)
        bits = [open(file, "rb").read() for file in files]
        for file in files:
            os.remove(file)
        self.check(arguments)
        self.assertEqual([open(file, "rb").read() for file in files], bits)

    def test_check(self):
        """Cases that hold, and two of a kind that the kernel does not serve."""
        arguments = self.check_arguments(KERNELS / "absorbed_decode_fp32.so", "mla-integers", "mla-planted-key", "mla-wide-tokens")
        self.check([*arguments, self.files[2], self.files[2]], code=3)

    def test_check_of_a_matrix(self):
        matrix = ["check", KERNELS / "absorbed_decode_fp32.so", "--cases", "quick", "--repeats", "2", "--context", "9", "--batch", "1",
                  "--heads", "2", "--groups", "2"]
        self.check(matrix)
        self.assertGreater(len(self.complete(0, *matrix)[0]["cases"]), 9)

    def test_check_of_a_faulty_kernel(self):
        """What it leaves behind for its author has the same names, whoever found it."""
        kept = self.folder / "kept"
        arguments = self.check_arguments(FAULTY / "faulty.last-key-dropped.fp16.so", "mla-integers", "mla-planted-key")
        arguments += ["--keep", kept]
        whole = self.complete(0, *arguments, code=1)
        bits = {file.name: file.read_bytes() for file in kept.iterdir()}
        self.assertEqual(len(bits), 2)
        shutil.rmtree(kept)
        self.check(arguments, code=1)
        self.assertEqual({file.name: file.read_bytes() for file in kept.iterdir()}, bits)
        self.assertEqual(self.complete(0, *arguments, code=1), whole)

    def test_report(self):
        self.check_report(["report", self.files[1], "--formats", "bf16", "--sensitivity"])

    def test_reports_that_are_cut(self):
        """Of mla and gqa, rows of several lengths, a full-width norm, an output projection: rows, heads and steps apart."""
        arguments = self.cut_arguments("report")
        units = self.succeed(*arguments, "--out", self.folder / "none", "--dry-run", *ONE_THREAD).out
        for words in ("prime field", "fp32, row 1, heads 4 to 5", "storage, explicit form, row 0, heads 2 to 3"):
            self.assertIn(words, units)
        self.check_report([*arguments[:2], *self.files, *arguments[2:]])

    def check_report(self, arguments):
        """Of a report the data files are the same but for times."""
        def data(folder):
            return without_seconds(json.loads((folder / "report.json").read_text())), (folder / "report.csv").read_text()

        first, second = self.folder / "first", self.folder / "second"
        self.succeed(*arguments, "--out", first, "-q")
        whole = data(first)
        folders = [self.folder / "a", self.folder / "b"]
        for index, folder in enumerate(folders, 1):
            self.succeed(*arguments, "--out", second, "--shard", f"{index}/2", "--resume", folder, "-q")
        self.reject(["--out"], "merge", *folders)
        self.succeed("merge", *folders, "--out", second, "-q")
        self.assertEqual(data(second), whole)
        for ranks in () if NO_MPI else (1, 2, 3):
            self.assertEqual(run_ranks(ranks, *arguments, *ONE_THREAD, "--out", second, "-q").code, 0)
            self.assertEqual(data(second), whole, f"{ranks} ranks")
        self.check_resume([*arguments, "--out", second, "-q"], lambda: data(second), whole)

    def check_resume(self, arguments, data, whole):
        """A journal of which half the lines are lost, the last of them torn."""
        state = self.folder / "state"
        self.succeed(*arguments, "--resume", state)
        lines = (state / "journal").read_text().split("\n")
        kept = lines[:len(lines) // 2]
        (state / "journal").write_text("\n".join(kept) + "\n" + lines[len(kept)][:20])
        self.succeed(*arguments, "--resume", state)
        self.assertEqual(data(), whole)
        self.assertEqual((state / "journal").read_text().split("\n")[:len(kept)], kept)

class RefusalTest(SpreadTest):
    def setUp(self):
        super().setUp()
        self.arguments = ["verify", *self.files[:2], "--exact-only"]
        self.first = self.shard(1, 2, *self.arguments)
        self.second = self.shard(2, 2, *self.arguments)
        self.journal = self.second / "journal-2-of-2"

    def test_overlap(self):
        self.reject(["unit '0 ", "is in", str(self.first)], "merge", self.first, self.second, self.first)

    def test_missing(self):
        self.reject(["3 of 6 units are missing", "no journal of shard 2/2"], "merge", self.first)
        lines = self.journal.read_text().split("\n")
        self.journal.write_text("\n".join(lines[:-2]) + "\n")
        self.reject(["1 of 6 units are missing", str(self.journal), "--resume"], "merge", self.first, self.second)

    def test_mismatch(self):
        other = self.shard(2, 2, *self.arguments)
        for extra in (["--seed", "7"], ["--formats", "bf16"]):
            shutil.rmtree(other)
            self.shard(2, 2, *self.arguments, *extra)
            self.reject(["command", extra[1]], "merge", self.first, other)
        shutil.rmtree(other)
        self.shard(2, 2, *self.arguments)
        edit_header(self.journal, lambda header: header.update(version="0.0.9 (executable 0123456789abcdef)"))
        self.reject(["version", "0.0.9"], "merge", self.first, other)
        self.reject(["version", "0.0.9"], *self.arguments, "--shard", "2/2", "--resume", other)

    def test_a_changed_kernel(self):
        library = self.folder / "kernel.so"
        shutil.copy(KERNELS / "absorbed_decode_fp32.so", library)
        arguments = self.check_arguments(library, "mla-integers", "mla-planted-key")
        shards = self.folder / "check"
        self.succeed(*arguments, "--shard", "1/2", "--resume", shards)
        self.reject(["1 of 2 units are missing"], "merge", shards)
        with open(library, "ab") as file:
            file.write(b"more")
        self.reject(["a file has changed"], *arguments, "--shard", "1/2", "--resume", shards)

    def test_a_changed_problem(self):
        problem = json.loads(self.files[0].read_text())
        problem["norm"] = {**problem["norm"], "eps": 1e-3}
        self.files[0].write_text(json.dumps(problem))
        self.reject(["a file has changed"], *self.arguments, "--shard", "2/2", "--resume", self.second)

    def test_usage(self):
        self.reject(["--shard", "--resume"], *self.arguments, "--shard", "1/2")
        self.reject(["--shard", "1 <= I <= N"], *self.arguments, "--shard", "3/2", "--resume", self.first)
        self.reject(["--json", "merge"], *self.arguments, "--shard", "1/2", "--resume", self.first, "--json", self.folder / "x.json")
        self.reject(["no journal"], "merge", self.folder)
        self.reject(["--out"], "merge", self.first, self.second, "--out", self.folder / "report")

    @unittest.skipIf(NO_MPI, NO_MPI)
    def test_one_message_from_many_ranks(self):
        result = run_ranks(3, "verify", self.files[0], "--mutant", "none-such")
        self.assertEqual((result.code, result.out, result.err.count("equinorm:")), (2, "", 1), result)

    def test_dry_run(self):
        whole = self.succeed("verify", *self.files, "--dry-run", *ONE_THREAD).out.splitlines()
        self.assertTrue(whole[-2].startswith("27 units: "), whole[-2])
        units = [line for line in whole if ": " in line and " seed " in line]
        halves = [line for index in ("1/2", "2/2")
                  for line in self.succeed("verify", *self.files, "--dry-run", "--shard", index, "--resume", self.folder / "none").out.splitlines()
                  if ": " in line and " seed " in line]
        self.assertEqual(sorted(line.split("iB  ")[1] for line in halves), sorted(line.split("iB  ")[1] for line in units))
        self.assertFalse((self.folder / "none").exists())


class JournalTest(SpreadTest):
    def setUp(self):
        super().setUp()
        self.arguments = ["verify", *self.files]
        self.state = self.folder / "state"

    def test_damage_is_reported_with_its_line(self):
        self.succeed(*self.arguments, "--resume", self.state, "-q")
        journal = self.state / "journal"
        data = bytearray(journal.read_bytes())
        at = len(data) // 2
        line = data[:at].count(b"\n") + 1
        data[at] ^= 4
        journal.write_bytes(data)
        self.reject([f"{journal}: line {line} is damaged"], *self.arguments, "--resume", self.state)
        self.reject([f"{journal}: line {line} is damaged"], "merge", self.state)

    def test_a_finished_run_computes_nothing_again(self):
        whole = self.complete(0, *self.arguments)
        self.assertEqual(self.complete(0, *self.arguments, "--resume", self.state), whole)
        before = (self.state / "journal").read_bytes()
        self.assertEqual(self.complete(0, *self.arguments, "--resume", self.state), whole)
        self.assertEqual((self.state / "journal").read_bytes(), before)
        self.assertEqual(self.merged([self.state]), whole)

    def killed(self, ranks, delay, who, *arguments):
        """Starts the run and kills it (`who`: a number drawn for one of its ranks, or None for all) after `delay`; whether it was cut off."""
        words = [BINARY, *map(str, arguments)]
        process = start([*mpirun_words(ranks), *words] if ranks else words)
        time.sleep(delay)
        if ranks and who is not None:
            children = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(pid) == process.pid]
            if children:
                try:
                    os.kill(sorted(children)[who % len(children)], signal.SIGKILL)
                except ProcessLookupError:
                    pass
                deadline = time.monotonic() + 60
                while process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
        cut = process.poll() != 0
        kill_group(process)
        return cut

    def test_fifty_kills(self):
        """Cut off at random moments and gone on with, again and again, the run ends as if nothing had happened."""
        self.cut_off(50, ["verify", *self.files[1:], "--formats", "bf16,fp32"])

    def test_kills_of_a_case_that_is_cut(self):
        self.cut_off(10, self.cut_arguments())

    def test_kills_of_a_check(self):
        self.cut_off(10, self.check_arguments(KERNELS / "absorbed_decode_fp32.so", "mla-integers", "mla-planted-key", "mla-wide-tokens", "mla-small-tokens"))

    def cut_off(self, wanted, arguments):
        """Kills runs at random moments `wanted` times, three quarters of them single processes."""
        seed = random.SystemRandom().randrange(10**6)
        print(f"seed {seed}")
        draw = random.Random(seed)
        begin = time.monotonic()
        whole = self.complete(0, *arguments)
        seconds = time.monotonic() - begin
        kills = rounds = units_kept = 0
        # On a busy machine many a run is cut off before its first unit: those that kept something are waited for too.
        while (kills < wanted or units_kept == 0) and rounds < 20 * wanted:
            ranks = 0 if NO_MPI or 4 * kills < 3 * wanted else draw.choice((2, 3))
            who = draw.choice((None, draw.randrange(100)))
            before = self.read_state()
            # A journal holds it until the last of its processes is gone.
            cut = self.killed(ranks, draw.uniform(0, seconds + (0.7 if ranks else 0)), who, *arguments, *ONE_THREAD, "-q", "--resume", self.state)
            after = self.read_state()
            self.assertEqual(after[:len(before)], before, "what was kept changed")
            ids = [line.split("\t")[0] for line in after[1:]]
            self.assertEqual(len(ids), len(set(ids)), "a unit was computed twice")
            units_kept += len(after) - len(before)
            kills += cut
            if not cut or rounds % 4 == 3:
                self.assertEqual(self.complete(0 if NO_MPI or rounds % 2 else 2, *arguments, "--resume", self.state), whole, f"seed {seed}")
                shutil.rmtree(self.state)
            rounds += 1
        self.assertGreaterEqual(kills, wanted)
        self.assertGreater(units_kept, 0)

    def read_state(self):
        path = self.state / "journal"
        return journal_lines(path) if path.exists() else []


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


if __name__ == "__main__":
    unittest.main()
