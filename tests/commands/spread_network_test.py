"""Ranks with an address each: two network namespaces, joined by a virtual cable, as two machines would be."""
import ipaddress
import os
import subprocess
import unittest

from spread import BINARY, MPI_ENVIRONMENT, ONE_THREAD, SpreadTest, why_no_mpi
from support import Result

HOSTS = ("10.231.77.1", "10.231.77.2")


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True, timeout=30).stdout


class Network:
    """Namespaces equinorm-PID-0 and -1; raises where the system does not allow them."""

    def __init__(self):
        self.names = [f"equinorm-{os.getpid()}-{i}" for i in range(2)]
        try:
            for name in self.names:
                ip("netns", "add", name)
            ip("link", "add", "cable", "netns", self.names[0], "type", "veth", "peer", "name", "cable", "netns", self.names[1])
            for name, host in zip(self.names, HOSTS):
                ip("-n", name, "addr", "add", f"{host}/24", "dev", "cable")
                ip("-n", name, "link", "set", "cable", "up")
                ip("-n", name, "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def close(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False, timeout=30)


class NetworkTest(SpreadTest):
    def setUp(self):
        super().setUp()
        why = why_no_mpi()
        if why:
            self.skipTest(why)
        try:
            network = Network()
        except (OSError, subprocess.SubprocessError) as error:
            self.skipTest(f"no network namespaces here: {getattr(error, 'stderr', '') or error}".strip())
        self.addCleanup(network.close)
        self.network = network
        # What ssh would do: run a command on that host. Here a host is a namespace.
        self.agent = self.folder / "agent"
        rows = "".join(f'  {host}) exec ip netns exec {name} sh -c "$*" ;;\n' for host, name in zip(HOSTS, network.names))
        self.agent.write_text(f'#!/bin/sh\nhost=$1\nshift\necho "$host" >>"$0.called"\ncase "$host" in\n{rows}esac\necho "no host $host" >&2\nexit 1\n')
        self.agent.chmod(0o755)

    def test_two_addresses(self):
        arguments = ["verify", *map(str, self.files)]
        whole = self.complete(0, *arguments)
        paths, read = self.results("network")
        self.assertTrue(all(ipaddress.ip_address(host).is_private for host in HOSTS))
        mpirun = ["ip", "netns", "exec", self.network.names[0], "mpirun", "-q", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none",
                  "--host", ",".join(f"{host}:1" for host in HOSTS), "-n", "2", "--mca", "plm_rsh_agent", str(self.agent),
                  "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "cable", "--mca", "oob_tcp_if_include", "cable"]
        process = subprocess.run([*mpirun, BINARY, *arguments, *ONE_THREAD, "-q", "--json", paths[0], "--junit", paths[1]],
                                 capture_output=True, text=True, check=False, timeout=300, env=MPI_ENVIRONMENT)
        self.assertEqual(process.returncode, 0, str(Result(process)))
        self.assertEqual(read(), whole)
        self.assertEqual((self.folder / "agent.called").read_text().split(), [HOSTS[1]], "the second rank was not started over the network")


if __name__ == "__main__":
    unittest.main()
