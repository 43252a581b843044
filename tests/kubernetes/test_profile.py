"""The Kubernetes profile against a stand-in for the API server: it checks a job as the real one would, and runs its command here."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from tiny import tiny_config, tiny_grid

from reassess.manifest import ROOT

PROFILE = ROOT / "workflow/profiles/kubernetes"


class Cluster(ThreadingHTTPServer):
    """Takes jobs, runs their one container as a process, and tells how they ended."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Api)
        self.folder, self.jobs, self.ended, self.lock = folder, {}, {}, threading.Lock()

    def start(self, job):
        name = job["metadata"]["name"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        place = self.folder / name
        place.mkdir()
        with self.lock:
            self.jobs[name] = job
        with (place / "log").open("w") as log:
            words = [*container["command"], *container["args"]]
            code = subprocess.run(words, cwd=place, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "HOME": str(place)})
        self.ended[name] = code.returncode


class Api(BaseHTTPRequestHandler):
    """The few calls that the executor makes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/jobs"):
            wrong = refused(body)
            if wrong:
                self.answer(422, {"kind": "Status", "message": wrong})
                return
            threading.Thread(target=self.server.start, args=(body,), daemon=True).start()
        self.answer(201, body)

    def do_GET(self):
        if self.path.endswith("/status"):
            code = self.server.ended.get(self.path.split("/")[-2])
            status = {} if code is None else {"succeeded": int(code == 0), "failed": int(code != 0)}
            self.answer(200, {"kind": "Job", "status": status})
        else:
            self.answer(200, {"kind": "PodList", "items": []})

    def do_DELETE(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(200, {"kind": "Status", "status": "Success"})

    def answer(self, code, content):
        sent = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *words):
        pass


def refused(job):
    """Return why Kubernetes would not take a job, if so: a device needs a limit equal to its request."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    requests, limits = (container["resources"].get(kind) or {} for kind in ("requests", "limits"))
    for name, count in requests.items():
        if "/" in name and limits.get(name) != count:
            return f"Limit must be set for non overcommitable resources: {name}"
    mounted = {one["name"] for one in container["volumeMounts"]}
    there = {one["name"] for one in job["spec"]["template"]["spec"]["volumes"]}
    return "" if mounted <= there else f"volumes not found: {sorted(mounted - there)}"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    served = Cluster(tmp_path)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    place = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{served.server_port}"}}],
        "users": [{"name": "me", "user": {}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(place))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield served
    served.shutdown()


def snakemake(folder, profile, *options):
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--profile", str(profile)]
    words += ["--directory", str(folder), "--seconds-between-status-checks", "1", *options]
    words += ["--config", f"config={folder / 'tiny.yaml'}", "--", str(tiny_grid(folder).pool_file("train"))]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


def test_jobs_go_through_with_what_they_ask_for(tmp_path, cluster):
    tiny_config(tmp_path, results=str(tmp_path / "results"), scratch=str(tmp_path / "scratch"))
    done = snakemake(tmp_path, PROFILE, "--set-resources", "build_pool:gpu=2")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert tiny_grid(tmp_path).pool_file("train").is_file()
    (job,) = cluster.jobs.values()
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"] == "2"
    assert container["resources"]["limits"]["memory"] == "1500M"
    assert container["image"] == "CHANGE-ME"
    assert {"name": "CHANGE-ME", "mountPath": "/shared"} in container["volumeMounts"]


def test_without_its_limits_kubernetes_would_refuse_a_gpu(tmp_path, cluster):
    """The stand-in can say no: the same profile without `scale=0`."""
    tiny_config(tmp_path, results=str(tmp_path / "results"), scratch=str(tmp_path / "scratch"))
    changed = yaml.safe_load((PROFILE / "config.yaml").read_text())
    changed["default-resources"] = ['gpu_manufacturer="nvidia"']
    changed["retries"] = 0
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile/config.yaml").write_text(yaml.safe_dump(changed))
    done = snakemake(tmp_path, tmp_path / "profile", "--set-resources", "build_pool:gpu=2")
    assert done.returncode != 0
    assert "Limit must be set" in done.stdout + done.stderr
