"""A real Slurm cluster of three nodes on this one machine: two with two fake GPUs each, one without.

    python tests/cluster/cluster.py up      # installs Debian's packages if necessary, and starts it
    python tests/cluster/cluster.py down    # cancels all jobs and stops the daemons

Needs root. Everything is in one folder (default: slurm-test in the system's temporary folder),
except three links where Slurm's own job steps look for their configuration.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Daemons are in folders that not every PATH has.
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
NODES = ("n1", "n2", "n3")
WAIT = 120  # seconds for a daemon, or for all nodes
HOME = Path(os.environ.get("REASSESS_CLUSTER", Path(tempfile.gettempdir()) / "slurm-test"))
SYSTEM = Path("/etc/slurm")
SYSTEM_FILES = ("slurm", "gres", "cgroup")

SLURM = """\
ClusterName=reassess
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
SlurmctldPort=16817
SlurmctldPidFile={home}/run/slurmctld.pid
SlurmdPidFile={home}/run/slurmd-%n.pid
SlurmctldLogFile={home}/log/slurmctld.log
SlurmdLogFile={home}/log/slurmd-%n.log
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool/%n
SwitchType=switch/none
MpiDefault=none
ProctrackType={tracking}
TaskPlugin={task}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
{memory}SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0,default_queue_depth=400
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=15
KillWait=5
MinJobAge=300
MaxJobCount=20000
MessageTimeout=10
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=16821 CPUs=4 RealMemory=9000 Gres=gpu:h200:2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=16822 CPUs=4 RealMemory=9000 Gres=gpu:a100:2
NodeName=n3 NodeHostname={host} NodeAddr=127.0.0.1 Port=16823 CPUs=4 RealMemory=16000
PartitionName=cpu Nodes=n3 Default=YES MaxTime=60 PriorityTier=10
PartitionName=gpu Nodes=n1,n2 MaxTime=60 PriorityTier=10 PreemptMode=OFF
PartitionName=preempt Nodes=n1,n2 MaxTime=60 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=graceful Nodes=n1,n2 MaxTime=60 PriorityTier=1 PreemptMode=REQUEUE GraceTime=15
PartitionName=high Nodes=n1,n2 MaxTime=60 PriorityTier=100 PreemptMode=OFF
"""
GRES = """\
AutoDetect=off
NodeName=n1 Name=gpu Type=h200 File={home}/dev/fakegpu[0-1]
NodeName=n2 Name=gpu Type=a100 File={home}/dev/fakegpu[0-1]
"""
CGROUP = """\
CgroupPlugin=cgroup/v1
CgroupAutomount=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=no
"""


def up() -> None:
    """Start the cluster, unless it is up."""
    if os.geteuid() != 0:
        sys.exit("a Slurm cluster is started by root")
    if is_up():
        print(f"the cluster is up: {HOME}")
        return
    install()
    down(quietly=True)
    lay_out()
    _start(["munged", "--force", f"--key-file={HOME}/munge.key", f"--pid-file={HOME}/run/munged.pid",
            f"--log-file={HOME}/log/munged.log", f"--seed-file={HOME}/run/munge.seed"])  # fmt: skip
    _start(["slurmctld", "-c"])
    for node in NODES:
        start_node(node)
    deadline = time.monotonic() + WAIT
    while not is_up():
        if time.monotonic() > deadline:
            sys.exit(f"the nodes are not idle after {WAIT} s; logs: {HOME}/log")
        time.sleep(0.1)
    print(f"three nodes are idle: {HOME}")


def install() -> None:
    """Install Debian's packages where a daemon is missing."""
    if all(shutil.which(name) for name in ("slurmctld", "slurmd", "sbatch", "munged")):
        return
    if not shutil.which("apt-get"):
        sys.exit(f"{', '.join(PACKAGES)}: not installed, and there is no apt-get to install them")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        ["apt-get", "update", "-q"], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    subprocess.run(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES],
        check=True, env=environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def lay_out() -> None:
    """Write folders, key and configuration."""
    shutil.rmtree(HOME, ignore_errors=True)
    for name in ("run", "log", "state", "dev", *(f"spool/{node}" for node in NODES)):
        (HOME / name).mkdir(parents=True)
    for number in range(2):
        (HOME / f"dev/fakegpu{number}").symlink_to("/dev/null")  # Slurm wants character devices
    (HOME / "munge.key").write_bytes(os.urandom(1024))
    (HOME / "munge.key").chmod(0o400)
    munge = Path("/run/munge")
    munge.mkdir(mode=0o755, exist_ok=True)
    munge.chmod(0o755)
    shutil.chown(munge, "root", "root")
    groups = Path("/sys/fs/cgroup/memory").is_dir() and Path("/sys/fs/cgroup/freezer").is_dir()
    kind = {
        "tracking": "proctrack/cgroup" if groups else "proctrack/linuxproc",
        "task": "task/cgroup" if groups else "task/none",
        "memory": "" if groups else "JobAcctGatherParams=OverMemoryKill\n",
    }
    host = socket.gethostname().partition(".")[0]
    for name, text in (("slurm", SLURM), ("gres", GRES), ("cgroup", CGROUP)):
        (HOME / f"{name}.conf").write_text(text.format(home=HOME, host=host, **kind))
    SYSTEM.mkdir(exist_ok=True)
    for name in SYSTEM_FILES:
        link = SYSTEM / f"{name}.conf"
        if link.exists() and not link.is_symlink():
            sys.exit(f"{link} belongs to a real cluster; not touched")
        link.unlink(missing_ok=True)
        link.symlink_to(HOME / f"{name}.conf")


def start_node(node: str) -> None:
    """Start a node's daemon."""
    _start(["slurmd", "-N", node])


def stop_node(node: str, how: int = signal.SIGKILL) -> None:
    """Kill a node's daemon."""
    _kill(HOME / f"run/slurmd-{node}.pid", how)


def is_up() -> bool:
    """Whether all nodes take jobs."""
    if not shutil.which("sinfo") or not (HOME / "slurm.conf").is_file():
        return False
    try:
        listed = subprocess.run(
            ["sinfo", "-h", "-N", "-o", "%N %T"], capture_output=True, text=True, timeout=5
        )
    except subprocess.TimeoutExpired:
        return False
    states = dict(line.split() for line in set(listed.stdout.splitlines()))
    return (
        listed.returncode == 0
        and set(states) == set(NODES)
        and set(states.values()) <= {"idle", "mixed", "allocated"}
    )


def down(quietly: bool = False) -> None:
    """Cancel all jobs and stop the daemons."""
    if (HOME / "run/slurmctld.pid").is_file():
        subprocess.run(["timeout", "5", "scancel", "-u", "root"], capture_output=True)
        time.sleep(1)
    for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munged"):
        _kill(HOME / f"run/{name}.pid", signal.SIGTERM)
    for name in SYSTEM_FILES:
        link = SYSTEM / f"{name}.conf"
        if link.is_symlink() and link.readlink() == HOME / f"{name}.conf":
            link.unlink()
    if not quietly:
        print("the cluster is down")


def _start(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT)
    if done.returncode:
        error = done.stderr.strip() or done.stdout.strip()
        sys.exit(f"{command[0]} did not start: {error}; logs: {HOME}/log")


def _kill(pid_file: Path, how: int) -> None:
    try:
        process = int(pid_file.read_text())
        os.kill(process, how)
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + 5
    # A daemon that ends removes its file itself.
    while time.monotonic() < deadline and Path(f"/proc/{process}").exists():
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    {"up": up, "down": down}[sys.argv[1]]()
