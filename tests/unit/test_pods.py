"""Jobs as pods: what a job is made of, how its state is read, and the checks of a cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from processes import PATIENCE
from synthetic import grid_in

from reassess.cluster import kubernetes_doctor
from reassess.cluster.doctor import examine_cluster
from reassess.cluster.kubernetes import GPU, OUTPUTS, manifest, status, submit
from reassess.cluster.kubernetes_doctor import mebibytes
from reassess.cluster.pod import SAVE_SECONDS
from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.workflow.resources import Resources

TEMPLATE = ROOT / "workflow/profiles/kubernetes/job.yaml"


def template(mount="/shared"):
    text = TEMPLATE.read_text().replace("mountPath: CHANGE-ME", f"mountPath: {mount}")
    return yaml.safe_load(text.replace("CHANGE-ME", "site"))


def script(**changes):
    properties = {
        "rule": "train",
        "output": ["results/tiny/cells/a/b/train.json"],
        "threads": 1,
        "wildcards": {"cell": "a/b"},
        "resources": {"mem_mb": 1500, "runtime": 30, "gpu": 2, "cpus_per_task": 16},
    }
    return f"#!/bin/sh\n# properties = {json.dumps({**properties, **changes})}\necho 'done' $HOME\n"


def made(text=None, given=None, environment=None):
    return manifest(
        given or template(),
        text or script(),
        Path("/shared/project"),
        environment or {"PATH": "/shared/bin"},
    )


def test_a_job_requests_what_its_rule_requests():
    job = made()
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"memory": "1500Mi", GPU: "2"}
    assert container["resources"]["requests"] == {"memory": "1500Mi", GPU: "2", "cpu": "16"}
    assert pod["activeDeadlineSeconds"] == 1800
    assert pod["terminationGracePeriodSeconds"] == SAVE_SECONDS
    assert container["args"] == ["1800", script()]  # word for word: no shell comes between
    assert container["workingDir"] == "/shared/project"
    for part in (job, job["spec"]["template"]):
        assert "results/tiny/cells/a/b/train.json" in part["metadata"]["annotations"][OUTPUTS]
    assert (
        job["metadata"]["labels"]["reassess/rule"]
        == job["spec"]["template"]["metadata"]["labels"]["reassess/rule"]
        == "train"
    )


@pytest.mark.parametrize(
    "version", ["1.26", "1.31", "1.37"]
)  # 1.26 is the first whose podFailurePolicy is on
def test_jobs_are_what_the_schemas_of_kubernetes_have(version):
    for job in (made(), made(script(rule=None, groupid="draw"))):
        kubernetes_validate.validate(job, version, strict=True)
    wrong = made()
    wrong["spec"]["template"]["spec"]["activeDeadline"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="activeDeadline"):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_a_job_without_gpus_requests_none_and_a_group_has_a_name():
    group = script(rule=None, groupid="draw", resources={"mem_mb": 1, "runtime": 1, "gpu": 0})
    job = made(group)
    assert GPU not in json.dumps(job)
    assert job["metadata"]["name"].startswith("reassess-draw-")


@given(st.text(min_size=1))
def test_names_are_as_kubernetes_wants_them(rule):
    name = made(script(rule=rule))["metadata"]["name"]
    assert (
        len(name) <= 63
        and name == name.lower()
        and all(one.isalnum() or one == "-" for one in name)
        and name.isascii()
    )


def test_no_secret_goes_into_a_job_and_the_template_is_left_as_it_is():
    given = template()
    before = json.dumps(given)
    job = made(
        given=given,
        environment={
            "PATH": "/bin",
            "HF_TOKEN": "secret",
            "WANDB_API_KEY": "secret",
            "OMP_NUM_THREADS": "1",
        },
    )
    assert "secret" not in json.dumps(job)
    assert json.dumps(given) == before
    assert {"name": "OMP_NUM_THREADS", "value": "1"} in job["spec"]["template"]["spec"][
        "containers"
    ][0]["env"]


def test_wrong_templates_and_scripts_are_named():
    with pytest.raises(ReassessError, match=r"CHANGE-ME .*containers\[0\].image"):
        made(given=yaml.safe_load(TEMPLATE.read_text()))
    with pytest.raises(ReassessError, match="one container"):
        made(given={"kind": "Job"})
    with pytest.raises(ReassessError, match="properties"):
        made("echo")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site whose kubectl prints what a test has set."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    monkeypatch.setenv("PATH", f"{binaries}:/bin:/usr/bin")

    class Site:
        grid = grid_in(tmp_path)
        template = template(tmp_path)
        folder = tmp_path

        def answers(self, **answers):
            cases = "\n".join(f'*"{words}"*) {answer} ;;' for words, answer in answers.items())
            path = binaries / "kubectl"
            path.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}\nesac\n')
            path.chmod(0o755)

        def examine(self):
            command = f"python -m reassess.cluster.kubernetes submit {tmp_path / 'job.yaml'}"
            (tmp_path / "config.yaml").write_text(
                yaml.safe_dump(
                    {"executor": "cluster-generic", "cluster-generic-submit-cmd": command}
                )
            )
            (tmp_path / "job.yaml").write_text(yaml.safe_dump(self.template))
            return examine_cluster(str(tmp_path), self.grid)

        def wrong(self):
            return [f"{one.what}: {one.fix}" for one in self.examine() if not one.fine]

    monkeypatch.chdir(tmp_path)
    made = Site()
    made.answers(**ANSWERS)
    return made


def answer(value):
    return f"echo '{json.dumps(value)}'"


def node(gpus, memory, **labels):
    return {
        "metadata": {"labels": labels},
        "status": {"allocatable": {GPU: str(gpus), "cpu": "63900m", "memory": memory}},
    }


ANSWERS = {
    "can-i": "echo yes",
    "get pvc": answer({"spec": {"accessModes": ["ReadWriteMany"]}}),
    "get nodes": answer({"items": [node(8, "64Gi", model="h200"), node(0, "128Gi")]}),
}


def test_states_are_given_in_the_executors_words(site):
    def state(*conditions):
        site.answers(**{"get job": answer({"status": {"conditions": list(conditions)}})})
        return status("reassess-train-1")

    assert state() == ("running", "")
    assert state({"type": "Complete", "status": "True"})[0] == "success"
    assert (
        state({"type": "FailureTarget", "status": "True"})[0] == "running"
    )  # its pod still has its time of grace
    assert state({"type": "Failed", "status": "False"})[0] == "running"
    failed = state(
        {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}
    )
    assert failed == ("failed", "reassess-train-1: DeadlineExceeded too long")


def test_a_deleted_job_has_failed_and_one_that_cannot_be_queried_runs(site):
    site.answers()
    state, remark = status("some")
    assert state == "failed" and "some" in remark and "deleted" in remark
    site.answers(**{"get job": "echo timeout >&2; exit 1"})
    state, remark = status("some")
    assert state == "running" and "some" in remark and "timeout" in remark


def test_a_refused_job_is_an_error_that_names_it(site):
    site.answers(create="echo 'exceeded quota' >&2; exit 1")
    (site.folder / "job.yaml").write_text(yaml.safe_dump(site.template))
    (site.folder / "script").write_text(script())
    with pytest.raises(ReassessError, match=r"reassess-train-\w+: exceeded quota"):
        submit(site.folder / "job.yaml", site.folder / "script")


def run_in_pod(seconds, text, folder):
    words = [sys.executable, "-m", "reassess.cluster.pod", str(seconds), text]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)


# A trainer's command line, and what it does when it receives SIGTERM.
TRAINER = (
    "exec -a reassess {python} -c 'import signal, sys; signal.signal(15, lambda *_: sys.exit(75)); "
    "print(1, flush=True); signal.pause()' job train"
)


def test_the_first_process_of_a_pod_passes_the_signal_to_the_trainer_alone(tmp_path):
    process = run_in_pod(
        600, f"( {TRAINER.format(python=sys.executable)} ); echo left with $?; exit 3", tmp_path
    )
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert output == "left with 75\n" and process.returncode == 3  # the script itself continued


def test_where_nothing_trains_the_signal_ends_the_job(tmp_path):
    process = run_in_pod(
        600, "(sleep 600 &); echo 1; sleep 600; echo too late", tmp_path
    )  # with one that nobody is the parent of
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)  # all have let go of the stream
    assert output == "" and process.returncode == 128 + signal.SIGTERM


EARLY = """
import os, signal, subprocess
from reassess.cluster import pod
real = subprocess.Popen
def late(*words, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(*words, **options)
subprocess.Popen = late
raise SystemExit(pod.run(600, "sleep 600"))
"""


def test_a_signal_that_comes_before_the_job_is_not_lost():
    assert (
        subprocess.run([sys.executable, "-c", EARLY], timeout=PATIENCE).returncode
        == 128 + signal.SIGTERM
    )


def test_a_trainer_receives_the_signal_before_its_time_is_over(tmp_path):
    began = time.monotonic()
    process = run_in_pod(2, f"{TRAINER.format(python=sys.executable)}", tmp_path)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 75 and time.monotonic() - began >= 1


def test_a_cluster_that_is_as_it_should_be(site):
    assert site.wrong() == []


def test_no_kubectl_and_no_right(site, monkeypatch):
    site.answers(**{**ANSWERS, "can-i": "echo no; exit 1"})
    (only,) = site.wrong()
    assert "created (no)" in only
    monkeypatch.setenv("PATH", str(site.folder))
    (only,) = site.wrong()
    assert "kubectl not found" in only


def test_a_template_that_nobody_filled_in(site):
    site.template = yaml.safe_load(TEMPLATE.read_text())
    (only,) = site.wrong()
    assert "job.yaml" in only and "spec.template.spec.containers[0].image" in only


def test_volumes_that_are_not_there_or_not_shared(site):
    site.answers(**{**ANSWERS, "get pvc": "echo 'claims \"site\" not found' >&2; exit 1"})
    assert "not found" in site.wrong()[0]
    site.answers(**{**ANSWERS, "get pvc": answer({"spec": {"accessModes": ["ReadWriteOnce"]}})})
    assert "ReadWriteOnce" in site.wrong()[0] and "ReadWriteMany" in site.wrong()[0]
    site.answers(**ANSWERS)
    site.template = template("/elsewhere")
    wrong = site.wrong()
    assert len(wrong) == 3 and "/elsewhere" in wrong[0] and "mountPath" in wrong[0]


def test_jobs_that_fit_nowhere(site, monkeypatch):
    def with_request(gpus, memory, cpus=1):
        monkeypatch.setattr(
            kubernetes_doctor, "requests", lambda *_: {"train": Resources(gpus, cpus, memory, 60)}
        )
        return site.wrong()

    assert with_request(8, 65536) == []
    wrong = with_request(9, 1)[0]
    assert "0 GPUs with 63 CPUs and 131072 MiB" in wrong
    assert "8 GPUs with 63 CPUs and 65536 MiB" in wrong
    assert len(with_request(1, 65537)) == 1  # not on one node
    assert with_request(1, 1, cpus=63) == [] and len(with_request(1, 1, cpus=64)) == 1
    site.template["spec"]["template"]["spec"]["nodeSelector"] = {"model": "h100"}
    wrong = with_request(1, 1)[0]
    assert "model=h100" in wrong and "h200" in wrong


def test_nodes_that_may_not_be_looked_at_are_no_fault(site):
    site.answers(**{**ANSWERS, "get nodes": "echo forbidden >&2; exit 1"})
    assert site.wrong() == []
    assert any("not looked at (forbidden)" in one.what for one in site.examine())


@pytest.mark.parametrize(
    ("written", "meant"),
    [("64Gi", 65536), ("1048576Ki", 1024), ("1073741824", 1024), ("1.5Gi", 1536)],
)
def test_quantities_of_memory(written, meant):
    assert mebibytes(written) == meant


def test_a_quantity_that_is_none():
    with pytest.raises(ReassessError, match="'much'"):
        mebibytes("much")


def test_cancelling_names_every_job(site):
    site.answers(**{"delete job": 'echo "$@"'})
    words = [str(ROOT / "workflow/profiles/kubernetes/cancel"), "a", "b"]
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0 and done.stdout.split()[-2:] == ["a", "b"]
