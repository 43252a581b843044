"""A job, as a rule of Snakemake takes it: patterns of files, and functions of wildcards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic, Protocol

from snakemake.settings.types import RerunTrigger

from reassess.config.names import NAME
from reassess.grid.study import Grid
from reassess.workflow.jobs.job import Job, KeyT
from reassess.workflow.planning import Planning, Standing, Task
from reassess.workflow.resources import Resources, gpu_option, gres_option

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


class Wildcards(Protocol):
    """Snakemake's wildcards: attributes by name."""

    def __getattr__(self, name: str) -> str:
        """The value of a wildcard."""


class Again:
    """What makes Snakemake run jobs again whose files are there: those that `planning` names.

    Snakemake is told so by its command line, before it knows which jobs it looks at, or by its own
    notes, which a copied folder lacks. So the two settings that decide are set here, when it asks
    for the inputs of jobs: that is before it decides about any.
    """

    def __init__(self, grid: Grid, workflow: Workflow, partial: bool = False) -> None:
        """For one Snakemake; whose bundle may be without the cells that failed."""
        self.planning = Planning(grid, partial)
        self._workflow = workflow

    def standing(self, task: Task) -> Standing:
        """Whether a job is finished; one that must run again is forced.

        To Snakemake's own options that force jobs, none is finished.
        """
        settings = self._workflow.dag_settings
        # The others compare with Snakemake's notes. Finished jobs have no inputs for this one.
        settings.rerun_triggers = frozenset({RerunTrigger.MTIME})
        if settings.forceall or settings.forcetargets or settings.forcerun:
            return "absent"
        standing = self.planning.standing(task)
        if standing == "stale":
            self._workflow.dag.forcefiles.update(map(str, task.products))
        return standing

    def stale(self) -> list[str]:
        """The files of the jobs before the bundle that must run again, needed or not."""
        tasks = [task for task in self.planning.tasks if task.job.group is None]
        stale = [task for task in tasks if self.standing(task) == "stale"]
        return [str(path) for task in stale for path in task.products]


def any_of(names: Iterable[str]) -> str:
    """The pattern of exactly these names, of bases too (`MODEL@K`); of nothing if there are none.

    What is no name matches nothing, whether or not the config was checked: wildcards reach shells,
    ours and those of cluster executors.
    """
    safe = sorted(name for name in names if re.fullmatch(rf"{NAME}(@\d+)?", name))
    return "|".join(map(re.escape, safe)) or r"(?!)"


# A cell's id: of names, not of the cells there are, so that a wrong one is answered by name.
CELL = rf"{NAME}(?:/{NAME}/\d+)?/{NAME}/seed\d+"


class JobRule(Generic[KeyT]):
    """What a rule file needs of a job.

    Attributes:
        files: the patterns of the files that it writes.
        folders: the patterns of the folders that it makes.
        log: the pattern of its log.
        benchmark: the pattern of Snakemake's record of time and memory.
    """

    def __init__(self, job: Job[KeyT], again: Again | None = None, /, **fixed: object) -> None:
        """Take the job, what decides whether it runs again, and what of its key is no wildcard."""
        self.job = job
        self._again = again
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
        """The files that a job reads; none if it is finished.

        So a finished job is never run for the times of files, nor for a file that is made again
        with the content it had; and what only finished jobs have read may be gone.
        """
        key = self.key(wildcards)
        if self._again is not None and self._again.standing(Task(self.job, key)) == "current":
            return []
        return self.every_input(wildcards)

    def every_input(self, wildcards: Wildcards) -> list[str]:
        """The files that a job reads, whether or not it is finished."""
        return [str(path) for path in self.job.inputs(self.key(wildcards))]

    def record(self, wildcards: Wildcards) -> str:
        """Where the record of a job is kept."""
        return str(self.job.record(self.key(wildcards)))

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
