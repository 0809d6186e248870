"""How much faster N ranks are than one: scaling.py EQUINORM [RANKS [ROUNDS]]. No test: what it prints depends on what else runs here.

The default suite, one thread a rank: one rank, N ranks, and N lone ranks side by side that each do all of it, in turn so that all see the same
machine. Prints for each round the ratio of wall times, that of processor times (what the ranks compute twice, their waiting, and cores that are
slower together), and what the machine would give to work that shares nothing (N where its cores do not disturb each other); then the medians and
the machine's load before and after.
"""
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time


def measure(ranks, binary, folder, copies=1):
    """Wall and processor seconds of one run, or of so many at once."""
    words = lambda copy: ["mpirun", "-q", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "-n", str(ranks), binary, "verify", "-q", "--threads", "1",
             "--json", os.path.join(folder, f"run{copy}.json")]
    environment = {**os.environ, "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    runs = [subprocess.Popen(words(copy), env=environment) for copy in range(copies)]
    if any([run.wait() for run in runs]):
        sys.exit("scaling.py: a run failed")
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments):
    binary, ranks, rounds = os.path.abspath(arguments[0]), int((arguments[1:] or ["2"])[0]), int((arguments[2:] or ["3"])[0])
    print(f"{os.cpu_count()} cores, load average before {os.getloadavg()[0]:.1f}")
    walls, processors, ceilings = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            one, many, apart = measure(1, binary, folder), measure(ranks, binary, folder), measure(1, binary, folder, ranks)
            walls.append(one[0] / many[0])
            processors.append(many[1] / one[1])
            ceilings.append(ranks * one[0] / apart[0])
            print(f"1 rank {one[0]:.1f} s, {ranks} ranks {many[0]:.1f} s: {walls[-1]:.2f} times as fast; processor time {processors[-1]:.2f} times; "
                  f"{ranks} suites side by side {apart[0]:.1f} s, {ceilings[-1]:.2f} times", flush=True)
    print(f"median: {statistics.median(walls):.2f} times as fast, processor time {statistics.median(processors):.2f} times; "
          f"side by side {statistics.median(ceilings):.2f} times; "
          f"load average after {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
