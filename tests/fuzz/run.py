"""Runs one libFuzzer program for a fixed time from a fixed seed: exit 0 if it found nothing (with --expect-crash: if it found the planted fault).

What it finds lies under --work: artefacts/crash-* and log.txt, which also tells how to replay an input.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys


def prepare(arguments):
    """An empty corpus filled with the seeds; returns the corpus folder and the seeds' number."""
    shutil.rmtree(arguments.work, ignore_errors=True)
    corpus = arguments.work / "corpus"
    corpus.mkdir(parents=True)
    (arguments.work / "artefacts").mkdir()
    if arguments.seeds:
        for seed in sorted(path for path in arguments.seeds.rglob("*") if path.is_file()):
            shutil.copy(seed, corpus / "-".join(seed.relative_to(arguments.seeds).parts))
    if arguments.seed_script:
        subprocess.run([sys.executable, arguments.seed_script, corpus], check=True)
    seeds = len(list(corpus.iterdir()))
    if (arguments.seeds or arguments.seed_script) and not seeds:
        sys.exit(f"no seeds in {arguments.seeds or arguments.seed_script}")
    return corpus, seeds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seeds", type=pathlib.Path)
    parser.add_argument("--seed-script", type=pathlib.Path)
    parser.add_argument("--expect-crash", action="store_true")
    arguments = parser.parse_args()
    if not arguments.program.is_file():
        sys.exit(f"{arguments.program} has not been built")

    corpus, seeds = prepare(arguments)
    command = [arguments.program, corpus, "-seed=1", f"-max_total_time={arguments.seconds}", "-rss_limit_mb=2048", "-timeout=10",
               "-print_final_stats=1", f"-artifact_prefix={arguments.work}/artefacts/"]
    with open(arguments.work / "log.txt", "w+b") as log:
        status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        log.seek(0)
        text = log.read().decode(errors="replace")

    if arguments.expect_crash:
        found = status != 0 and "heap-buffer-overflow" in text
        print("the planted fault was found" if found else f"the planted fault was NOT found\n{text[-4000:]}")
        return 0 if found else 1
    if status != 0:
        print(text[-8000:])
        print(f"exit status {status}; replay with: {arguments.program} {arguments.work}/artefacts/*")
        return 1
    runs = next((line.split()[-1] for line in text.splitlines() if line.startswith("stat::number_of_executed_units")), "0")
    print(f"{seeds} seeds, {runs} inputs tried, corpus grew to {len(list(corpus.iterdir()))}")
    # A reader that is never reached would 'pass' as well.
    return 0 if int(runs) > seeds else 1


if __name__ == "__main__":
    sys.exit(main())
