"""What the tests of runs on several processes share."""
import json
import os
import re
import shutil
import signal
import subprocess

from support import BINARY, CommandTest, Result, builtin, changed, run, shrinking, without_seconds

CASES = ("mla-from-x", "mla-full-width-ragged", "gqa-per-head-gated")
# One thread each: ranks share the machine.
ONE_THREAD = ("--threads", "1")


def why_no_mpi():
    """Empty where mpirun and a program built with MPI are here."""
    if shutil.which("mpirun") is None:
        return "no mpirun"
    return "built without MPI" if re.search(r"^  MPI +not found", run("doctor").out, re.MULTILINE) else ""


def mpirun_words(ranks):
    return ["mpirun", "-q", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "-n", str(ranks)]


# Containers often forbid the system call that copies between processes; leaks of the MPI library are not ours.
MPI_ENVIRONMENT = {**os.environ, "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_btl_base_warn_component_unused": "0",
                   "ASAN_OPTIONS": "detect_leaks=0"}


def run_ranks(ranks, *arguments):
    process = subprocess.run([*mpirun_words(ranks), BINARY, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300,
                             env=MPI_ENVIRONMENT)
    return Result(process)


def start(words):
    """A process, the leader of a group of its own."""
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=MPI_ENVIRONMENT, start_new_session=True)


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def checksum(text):
    """FNV-1a, 64 bits."""
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"


def journal_lines(path):
    """The whole lines of a journal without their checksums, which are compared."""
    lines = []
    for line in path.read_text().split("\n")[:-1]:
        given, text = line.split("\t", 1)
        assert given == checksum(text), line[:60]
        lines.append(text)
    return lines


def edit_header(path, change):
    """Applies change(header) to a journal's first line and gives it the right checksum."""
    lines = path.read_text().split("\n")
    header = json.loads(lines[0].split("\t", 1)[1])
    change(header)
    text = json.dumps(header)
    lines[0] = checksum(text) + "\t" + text
    path.write_text("\n".join(lines))


def without_times(junit):
    return re.sub(r' time="[^"]*"|; [0-9.]+ s;', "", junit)


class SpreadTest(CommandTest):
    """A small suite in a folder."""

    def setUp(self):
        super().setUp()
        problems = builtin("cases")
        self.files = []
        for name in CASES:
            self.files.append(self.write_problem(changed(problems[name], shrinking(problems[name], tokens=12)), f"{name}.json"))

    def cut_arguments(self, command="verify"):
        """`verify` or `report` of a case that is cut into rows and heads."""
        problem = builtin("cases")["mla-blockwise-yarn"]
        shapes = {"context": [25, 8], "batch": 2, "queries": 2, "heads": 6, "groups": 3, "latent": 12, "content_dim": 8, "rope_dim": 4, "value_dim": 5}
        return [command, self.write_problem(changed(problem, shapes), "cut.json"), "--cut", "1", "--formats", "bf16,fp32"]

    def check_arguments(self, library, *names):
        """`check` of a library on small cases."""
        shapes = {"context": [20, 3], "batch": 2, "heads": 4, "groups": 4, "latent": 16, "content_dim": 8, "rope_dim": 4, "value_dim": 8}
        files = [self.write_problem(changed(builtin("cases")[name], shapes), f"check-{name}.json") for name in names]
        return ["check", library, *files]

    def results(self, *more):
        """What a run leaves: JSON and JUnit without times."""
        name = "-".join(["results", *map(str, more)])
        paths = self.folder / f"{name}.json", self.folder / f"{name}.xml"
        for path in paths:
            path.unlink(missing_ok=True)
        return paths, lambda: (without_seconds(json.loads(paths[0].read_text())), without_times(paths[1].read_text()))

    def complete(self, ranks, *arguments, code=0):
        """Results of a run on that many ranks; 0: without mpirun."""
        paths, read = self.results("run")
        words = [*arguments, *ONE_THREAD, "-q", "--json", paths[0], "--junit", paths[1]]
        result = run_ranks(ranks, *words) if ranks else run(*words)
        self.assertEqual((result.code, result.out), (code, ""), f"{ranks} ranks, {words}: {result}")
        return read()

    def shard(self, index, count, *arguments):
        folder = self.folder / f"shard-{index}-of-{count}"
        self.succeed(*arguments, *ONE_THREAD, "--shard", f"{index}/{count}", "--resume", folder)
        return folder

    def merged(self, folders, code=0):
        paths, read = self.results("merged")
        self.succeed("merge", *folders, "-q", "--json", paths[0], "--junit", paths[1], code=code)
        return read()
