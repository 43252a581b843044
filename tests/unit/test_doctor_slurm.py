"""The checks of a Slurm cluster, here a few scripts that answer as Slurm's client does."""

from typing import ClassVar

import pytest
import yaml
from synthetic import grid_in

from reassess.cluster.doctor import examine_cluster
from reassess.cluster.slurm_doctor import parse_nodes
from reassess.core.errors import ReassessError
from reassess.workflow.resources import Resources

SINFO = (
    "n1|gpu|4|9000|gpu:h200:2(S:0-1)\nn2|gpu|4|9000|gpu:a100:2,gpu:h200:1\nn3|cpu|8+|16000|(null)"
)
PARTITIONS = {
    "gpu": {"max_gpu": 2, "max_mem_mb": 9000, "max_runtime": 60},
    "cpu": {"max_gpu": 0, "max_mem_mb": 16000, "max_runtime": 60},
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site whose parts a test can break: its client programs, its profile, its partitions."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    monkeypatch.setenv("PATH", str(binaries))

    class Site:
        grid = grid_in(tmp_path)
        profile: ClassVar = {
            "executor": "slurm",
            "slurm-partition-config": str(tmp_path / "partitions.yaml"),
            "default-resources": ['slurm_account="ours"'],
        }
        partitions = PARTITIONS

        def put(self, name, script):
            path = binaries / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

        def examine(self):
            (tmp_path / "config.yaml").write_text(yaml.safe_dump(self.profile))
            (tmp_path / "partitions.yaml").write_text(
                yaml.safe_dump({"partitions": self.partitions})
            )
            return examine_cluster(str(tmp_path), self.grid)

        def wrong(self):
            return [f"{one.what}: {one.fix}" for one in self.examine() if not one.fine]

    made = Site()
    for name in ("sbatch", "squeue", "scancel"):
        made.put(name, "exit 0")
    made.put("sinfo", f"echo '{SINFO}'")
    made.put("srun", 'for last; do :; done; PATH=/bin:/usr/bin exec /bin/sh -c "$last"')
    made.put("sacctmgr", "echo ours; echo theirs")
    return made


def test_a_cluster_that_is_as_it_should_be(site):
    assert site.wrong() == []
    checked = [finding.what for finding in site.examine()]
    assert any(what.startswith("scratch folder") and "'gpu'" in what for what in checked)
    assert not list(site.grid.paths.scratch.glob(".reassess-*"))


def test_no_client(site, tmp_path):
    (tmp_path / "bin/sbatch").unlink()
    (only,) = site.wrong()
    assert "sbatch" in only and "login node" in only


@pytest.mark.parametrize("answer", ["exit 1", "echo nonsense"])
def test_a_controller_that_does_not_answer(site, answer):
    site.put("sinfo", answer)
    (only,) = site.wrong()
    assert "controller" in only and "scontrol ping" in only


def test_accounts(site):
    site.profile = {**site.profile, "default-resources": ['slurm_account="our"']}
    (only,) = site.wrong()
    assert "ours, theirs" in only and "did you mean 'ours'?" in only
    site.profile = {**site.profile, "default-resources": ['slurm_account="CHANGE-ME"']}
    assert "'CHANGE-ME'" in site.wrong()[0] and "config.yaml" in site.wrong()[0]
    site.profile = {**site.profile, "default-resources": []}
    assert site.wrong() == []
    site.put("sacctmgr", "exit 1")
    site.profile = {**site.profile, "default-resources": ['slurm_account="x"']}
    assert site.wrong() == []


def test_a_partition_that_is_not_there(site):
    site.partitions = {"gpus": PARTITIONS["gpu"], "cpu": PARTITIONS["cpu"]}
    wrong = next(one for one in site.wrong() if one.startswith("partition 'gpus'"))
    assert "cpu, gpu" in wrong and "did you mean 'gpu'?" in wrong


def test_a_gpu_model_that_nobody_has(site):
    site.profile = {**site.profile, "default-resources": ['gpu_model="h100"']}
    (only,) = site.wrong()
    assert "'h100'" in only and "a100, h200" in only


def test_jobs_that_fit_nowhere(site, monkeypatch):
    def with_request(gpus, memory, minutes, cpus=1):
        monkeypatch.setattr(
            "reassess.cluster.slurm_doctor.requests",
            lambda *_: {"train": Resources(gpus, cpus, memory, minutes)},
        )
        return site.wrong()

    assert with_request(2, 9000, 60) == []
    assert "no partition" in with_request(2, 9001, 60)[0]
    assert "no partition" in with_request(2, 9000, 61)[0]
    site.partitions = {
        name: {**limits, "max_gpu": 8, "max_mem_mb": 10**6} for name, limits in PARTITIONS.items()
    }
    assert "has more than 16000 MiB" in with_request(0, 16001, 60)[0]
    assert "has more than 3 GPUs" in with_request(4, 9000, 60)[0]
    assert with_request(0, 9000, 60, cpus=8) == []
    wrong = with_request(0, 9000, 60, cpus=9)[0]
    assert "more than 8 CPUs" in wrong and "train:cpus_per_task=8" in wrong


def test_a_scratch_folder_that_nodes_do_not_share(site):
    site.put("srun", 'echo "ls: cannot access: No such file or directory" >&2; exit 2')
    wrong = site.wrong()
    assert len(wrong) == 4
    assert wrong[0].startswith("scratch folder") and "`scratch:`" in wrong[0]


def test_locks_that_do_not_reach_the_nodes(site):
    site.put("srun", "exit 99")
    wrong = site.wrong()
    assert len(wrong) == 4
    assert "lock" in wrong[0] and "flock" in wrong[0]


def test_a_busy_cluster_is_no_fault(site):
    site.put(
        "srun",
        'echo "srun: error: Unable to allocate resources: Requested nodes are busy" >&2; exit 1',
    )
    assert site.wrong() == []
    assert any("not looked at" in one.what for one in site.examine())


def test_nodes_are_read_as_sinfo_writes_them():
    first, second, third = parse_nodes(SINFO)
    assert (first.gpus, second.gpus, third.gpus) == ({"h200": 2}, {"a100": 2, "h200": 1}, {})
    assert parse_nodes("n|p|4|1000+|gpu:4")[0].gpus == {"": 4}


def test_an_unknown_profile_is_an_error_that_lists_those_there_are(site):
    with pytest.raises(
        ReassessError, match=r"'slrm'.*default, kubernetes, slurm.*did you mean 'slurm'"
    ):
        examine_cluster("slrm", site.grid)
