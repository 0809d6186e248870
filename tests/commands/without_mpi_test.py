"""A program that was built without MPI: everything but ranks."""
import shutil
import subprocess
import unittest

from spread import BINARY, MPI_ENVIRONMENT, ONE_THREAD, SpreadTest, mpirun_words
from support import run


class WithoutMpiTest(SpreadTest):
    def setUp(self):
        super().setUp()
        self.arguments = ["verify", *self.files, "--exact-only"]

    def test_doctor_says_so(self):
        self.assertRegex(run("doctor").out, r"(?m)^  MPI +not found")

    def test_shards_journals_and_merge(self):
        whole = self.complete(0, *self.arguments)
        self.assertEqual(self.merged([self.shard(index, 3, *self.arguments) for index in (3, 1, 2)]), whole)
        state = self.folder / "state"
        self.assertEqual(self.complete(0, *self.arguments, "--resume", state), whole)
        self.assertEqual(self.complete(0, *self.arguments, "--resume", state), whole)

    def test_a_launcher_is_told(self):
        """Several processes that know nothing of each other would each write the whole result."""
        for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"):
            result = run(*self.arguments, **{name: "2"})
            self.assertEqual((result.code, result.out), (2, ""), result)
            self.assertRegex(result.err, r"^equinorm: .*built without MPI.*--shard\n$")
        self.assertEqual(run(*self.arguments, "-q", OMPI_COMM_WORLD_SIZE="1").code, 0)

    @unittest.skipIf(shutil.which("mpirun") is None, "no mpirun")
    def test_mpirun(self):
        process = subprocess.run([*mpirun_words(2), BINARY, *map(str, self.arguments), *ONE_THREAD], capture_output=True, text=True, check=False,
                                 timeout=300, env=MPI_ENVIRONMENT)
        self.assertEqual((process.returncode, process.stdout), (2, ""), process.stderr)
        self.assertIn("built without MPI", process.stderr)


if __name__ == "__main__":
    unittest.main()
