"""A job, as a rule of Snakemake takes it: patterns of files, and functions of wildcards."""

from __future__ import annotations

from typing import Generic, Protocol

from reassess.workflow.jobs.job import Job, KeyT
from reassess.workflow.resources import Resources, gpu_option, gres_option


class Wildcards(Protocol):
    """Snakemake's wildcards: attributes by name."""

    def __getattr__(self, name: str) -> str:
        """The value of a wildcard."""


class JobRule(Generic[KeyT]):
    """What a rule file needs of a job.

    Attributes:
        files: the patterns of the files that it writes.
        folders: the patterns of the folders that it makes.
        log: the pattern of its log.
        benchmark: the pattern of Snakemake's record of time and memory.
    """

    def __init__(self, job: Job[KeyT], **fixed: object) -> None:
        """Take the job, and the parts of its key that are no wildcards."""
        self.job = job
        self._fixed = fixed
        self._wildcards = [name for name in job.wildcards() if name not in fixed]
        pattern = self._key({name: f"{{{name}}}" for name in self._wildcards})
        self.files = [str(path) for path in job.outputs(pattern)]
        self.folders = [str(path) for path in job.folders(pattern)]
        paths, names = job.grid.paths, [f"{{{name}}}" for name in self._wildcards]
        self.log = str(paths.log(job.name, *names))
        self.benchmark = str(paths.benchmark(job.name, *names))

    def _key(self, values: dict[str, str]) -> KeyT:
        key: KeyT = self.job.key(**self._fixed, **values)
        return key

    def key(self, wildcards: Wildcards) -> KeyT:
        """The job that some wildcards name."""
        return self._key({name: getattr(wildcards, name) for name in self._wildcards})

    def input(self, wildcards: Wildcards) -> list[str]:
        """The files that a job reads."""
        return [str(path) for path in self.job.inputs(self.key(wildcards))]

    def spec(self, wildcards: Wildcards) -> str:
        """The reason to run a job again."""
        return self.job.spec_hash(self.key(wildcards))

    def _resources(self, wildcards: Wildcards) -> Resources:
        return self.job.resources(self.key(wildcards))

    def memory(self, wildcards: Wildcards, attempt: int) -> int:
        """MiB: more with each attempt."""
        return attempt * self._resources(wildcards).memory

    def runtime(self, wildcards: Wildcards, attempt: int) -> int:
        """Minutes: more with each attempt."""
        return attempt * self._resources(wildcards).minutes

    def cpus(self, wildcards: Wildcards) -> int:
        """CPUs."""
        return self._resources(wildcards).cpus

    def gpu(self, wildcards: Wildcards) -> int:
        """GPUs, as `--gpus` takes them."""
        return gpu_option(self._resources(wildcards).gpus)

    def gres(self, wildcards: Wildcards) -> str:
        """GPUs, as `--gres` takes them."""
        return gres_option(self._resources(wildcards).gpus)
