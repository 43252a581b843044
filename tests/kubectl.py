"""A stand-in for kubectl: its pods are processes of this machine.

They have nothing but what their manifest gives them, and a manifest that an API server would refuse
is refused. State is in the folder FAKE_CLUSTER, one file a Job.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

CLUSTER = Path(os.environ["FAKE_CLUSTER"])
ENVIRONMENT = {
    "HOME": os.environ.get("HOME", "/"),
    "FAKE_CLUSTER": str(CLUSTER),
    "SLURM_CONF": os.devnull,
}


def refuse(reason):
    sys.exit(f"The Job is invalid: {reason}")


def create(job):
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    resources = container["resources"]
    name = job["metadata"]["name"]
    if (job["apiVersion"], job["kind"]) != ("batch/v1", "Job"):
        refuse("not a batch/v1 Job")
    if len(name) > 63 or not name.replace("-", "").isalnum() or name != name.lower():
        refuse(f"metadata.name {name}")
    if any(len(value) > 63 for value in job["metadata"]["labels"].values()):
        refuse("metadata.labels")
    if resources["requests"].get("nvidia.com/gpu") != resources["limits"].get("nvidia.com/gpu"):
        refuse("a GPU's request must equal its limit")
    if pod["restartPolicy"] != "Never" and "podFailurePolicy" in job["spec"]:
        refuse("podFailurePolicy needs restartPolicy Never")
    volumes = {volume["name"] for volume in pod["volumes"]}
    if {mount["name"] for mount in container["volumeMounts"]} - volumes:
        refuse("volumeMounts: not found")
    if any(not isinstance(entry["value"], str) for entry in container["env"]):
        refuse("env: not a string")
    (CLUSTER / f"{name}.json").write_text(json.dumps(job))
    nothing = subprocess.DEVNULL
    subprocess.Popen(
        [sys.executable, __file__, "pod", name],
        start_new_session=True,
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
    )
    print(f"job.batch/{name}")


def pod(name):
    """Run a Job's container to its end.

    A pod that was preempted (a file marks it) is started again, as podFailurePolicy has it.
    """
    job = json.loads((CLUSTER / f"{name}.json").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environment = ENVIRONMENT | {entry["name"]: entry["value"] for entry in container["env"]}
    preempted = CLUSTER / f"{name}.preempted"
    while True:
        with (CLUSTER / f"{name}.log").open("a") as log:
            command = [*container["command"], *container["args"]]
            process = subprocess.Popen(
                command, cwd=container["workingDir"], env=environment, stdout=log, stderr=log
            )
            (CLUSTER / f"{name}.pid").write_text(str(process.pid))
            code = process.wait()
        if not preempted.exists():
            break
        preempted.rename(preempted.with_suffix(".again"))
    condition = (
        {"type": "Failed", "reason": "BackoffLimitExceeded"} if code else {"type": "Complete"}
    )
    (CLUSTER / f"{name}.end").write_text(json.dumps({**condition, "status": "True"}))


def main(words):
    match [word for word in words if not word.startswith("--")]:
        case ["create", "-f", "-", "-o", "name"]:
            create(json.load(sys.stdin))
        case ["get", "job", name, "-o", "json"]:
            if (CLUSTER / f"{name}.json").exists():
                end = CLUSTER / f"{name}.end"
                conditions = [json.loads(end.read_text())] if end.exists() else []
                print(json.dumps({"status": {"conditions": conditions}}))
        case ["delete", "job", *names]:
            for name in names:
                os.kill(int((CLUSTER / f"{name}.pid").read_text()), signal.SIGTERM)
                (CLUSTER / f"{name}.json").unlink()
        case ["pod", name]:
            pod(name)
        case _:
            sys.exit(f"the stand-in does not support {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
