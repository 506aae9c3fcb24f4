"""A Slurm cluster of one node, on loopback, with everything that it writes in one directory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from harness import free_port, wait_until

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={directory}/munge/socket
CredType=cred/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=30
ReturnToService=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""


class Cluster:
    """Munge, the controller and one node.

    Args:
        directory: private to it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []
        for name in ("munge", "state", "spool"):
            (directory / name).mkdir(parents=True)
        (directory / "munge").chmod(0o711)
        self.config = directory / "slurm.conf"
        host = socket.gethostname().partition(".")[0]
        self.config.write_text(
            CONFIG.format(directory=directory, host=host, user="root", controller=free_port(), node=free_port())
        )
        try:
            self._begin(directory, host)
        except BaseException:
            self.stop()
            raise

    @property
    def environment(self) -> dict[str, str]:
        """With which commands of Slurm find it."""
        return {**os.environ, "SLURM_CONF": str(self.config)}

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout

    def jobs(self) -> list[str]:
        """The states of all jobs that are not over."""
        return self.ask("squeue", "--noheader", "--format=%T").split()

    def stop(self) -> None:
        """Cancel what runs, and end it all."""
        self.ask("scancel", "--user=root")
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _begin(self, directory: Path, host: str) -> None:
        munge = directory / "munge"
        self._run("mungekey", "--create", f"--keyfile={munge / 'key'}")
        self._start(
            "munged", "--foreground", "--force", f"--key-file={munge / 'key'}", f"--socket={munge / 'socket'}",
            f"--pid-file={munge / 'pid'}", f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}",
        )  # fmt: skip
        wait_until((munge / "socket").exists, "munge listens")
        self._start("slurmctld", "-D", "-f", str(self.config))
        self._start("slurmd", "-D", "-f", str(self.config), "-N", host)
        wait_until(
            lambda: "idle" in self.ask("sinfo", "--noheader", "--format=%T"), f"the node is idle; see {directory}"
        )

    def _start(self, program: str, *arguments: str) -> None:
        path = shutil.which(program) or f"/usr/sbin/{program}"
        with (self.directory / f"{program}.out").open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    [path, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
            )

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([shutil.which(program) or f"/usr/sbin/{program}", *arguments], check=True, timeout=30)
