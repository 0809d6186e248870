"""How much faster N ranks are than one: scaling.py EQUINORM [RANKS [ROUNDS]]. No test: what it prints depends on what else runs here.

The default suite, one thread a rank, one and N ranks in turn so that both see the same machine. Prints for each round the ratio of wall times
and of processor times (what the ranks compute twice, and their waiting), then the medians and the machine's load before and after.
"""
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time


def measure(ranks, binary, folder):
    """Wall and processor seconds of one run."""
    words = ["mpirun", "-q", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "-n", str(ranks), binary, "verify", "-q", "--threads", "1",
             "--json", os.path.join(folder, "run.json")]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(words, check=True, env={**os.environ, "OMPI_MCA_btl_vader_single_copy_mechanism": "none"})
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments):
    binary, ranks, rounds = os.path.abspath(arguments[0]), int((arguments[1:] or ["2"])[0]), int((arguments[2:] or ["3"])[0])
    print(f"{os.cpu_count()} cores, load average before {os.getloadavg()[0]:.1f}")
    walls, processors = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            one, many = measure(1, binary, folder), measure(ranks, binary, folder)
            walls.append(one[0] / many[0])
            processors.append(many[1] / one[1])
            print(f"1 rank {one[0]:.1f} s, {ranks} ranks {many[0]:.1f} s: {walls[-1]:.2f} times as fast; processor time {processors[-1]:.2f} times", flush=True)
    print(f"median: {statistics.median(walls):.2f} times as fast, processor time {statistics.median(processors):.2f} times; "
          f"load average after {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
