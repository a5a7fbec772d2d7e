"""A real SLURM of one node on the loopback interface, without systemd: three daemons that are children of this process.

Its processors, memory and GPUs are what we say they are; a GPU's device file is a link to /dev/null.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
CONFIGURATION = """\
ClusterName=local
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# a job that holds more memory than it asked for is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
# finished jobs stay in sight of squeue and scontrol
MinJobAge=3600
ReturnToService=2
SchedulerParameters=batch_sched_delay=0
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={node} Default=YES MaxTime=7-0 State=UP
PartitionName=gpu Nodes={node} MaxTime=1-0 State=UP
"""


def why_not():
    """Why there can be no SLURM here, or None."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if missing:
        return f"no SLURM here ({', '.join(missing)} missing): apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "SLURM's daemons need root"


class Cluster:
    """The cluster, as a context manager. `environment` is what its users need, Snakemake among them."""

    def __init__(self, folder, cpus=32, megabytes=256000, gpus=2):
        self.folder, self.daemons = Path(folder), []
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "munge.key").chmod(0o600)
        for i in range(gpus):
            (self.folder / f"gpu{i}").symlink_to(os.devnull)
        devices = f"{self.folder}/gpu[0-{gpus - 1}]"
        (self.folder / "gres.conf").write_text(f"AutoDetect=off\nName=gpu File={devices}\n")
        facts = {"cpus": cpus, "megabytes": megabytes, "gpus": gpus, "ports": free_ports(2)}
        facts |= {"node": socket.gethostname().split(".")[0], "folder": self.folder}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**facts))
        # Snakemake's jobs drop all SLURM_* variables before they call srun, SLURM_CONF too: this one has it back.
        srun = self.folder / "bin" / "srun"
        conf = self.folder / "slurm.conf"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which("srun", path=PATH)} "$@"\n')
        srun.chmod(0o755)
        self.environment = os.environ | {"SLURM_CONF": str(conf), "PATH": f"{srun.parent}:{PATH}"}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def __enter__(self):
        munge = self.folder / "munge"
        options = [f"--socket={munge}.socket", f"--key-file={munge}.key", f"--pid-file={munge}.pid"]
        options += [f"--seed-file={munge}.seed", f"--log-file={munge}.log"]
        try:
            self._start("munged", "--foreground", "--force", *options)
            wait_until(Path(f"{munge}.socket").exists, "munged's socket")
            self._start("slurmctld", "-D")
            self._start("slurmd", "-D")
            wait_until(lambda: self.run("sinfo", "-h", "-o", "%T").split() == ["idle"], "an idle node", 120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        self.cancel_all()
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def run(self, *command):
        """What one of SLURM's programs prints; nothing if it fails, as all do until the controller answers."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)
        return done.stdout if done.returncode == 0 else ""

    def jobs(self):
        """All jobs so far, as `scontrol show job` describes them: one mapping per job, in order of submission."""
        lines = self.run("scontrol", "show", "job", "--oneliner").splitlines()
        found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]
        return sorted(found, key=lambda job: int(job["JobId"]))

    def cancel_all(self):
        """Cancel all jobs and wait until they are gone."""
        alive = ("PENDING", "RUNNING", "COMPLETING")
        for job in self.jobs():
            if job["JobState"] in alive:
                self.run("scancel", job["JobId"])
        wait_until(
            lambda: all(job["JobState"] not in alive for job in self.jobs()), "the end of all jobs", 60
        )

    def _start(self, program, *options):
        with (self.folder / f"{program}.log").open("w") as log:
            command = [shutil.which(program, path=PATH), *options]
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))


def wait_until(condition, what, seconds=60):
    """Wait until the condition holds; raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def free_ports(count):
    """Numbers of free TCP ports."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
