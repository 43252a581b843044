"""A grid whose jobs have all come to their end, without having done anything."""

from reassess.core.files import write_json, write_text
from reassess.workflow.planning import Planning


def finish(grid, only=lambda task: True, text="content"):
    """Let every job of a grid leave its files and its record.

    Args:
        grid: the grid.
        only: which jobs.
        text: what the files hold.
    """
    for task in Planning(grid).tasks:
        if only(task):
            perform(task, text)


def perform(task, text="content"):
    """Let one job leave its files and its record."""
    task.job.run = lambda key: leave(task, text)
    task.job.perform(task.key)
    del task.job.run


def leave(task, text="content"):
    """Write what a job would write; manifests name spec and weights as real ones do."""
    for path in task.job.outputs(task.key):
        if path.suffix == ".json":
            content = {"spec_hash": task.job.spec_hash(task.key), "weights_hash": text}
            write_json(path, {"cell": "x"} if task.job.group else content)  # the bundle has none
        else:
            write_text(path, f"{path.name}: {text}")
    for folder in task.job.folders(task.key):
        write_text(folder / "model.safetensors", text)
        write_text(folder / "config.json", "{}")


def standings(grid, partial=False):
    """Return what is not finished, by job."""
    planning = Planning(grid, partial)
    found = {str(task): planning.standing(task) for task in planning.tasks}
    return {task: standing for task, standing in found.items() if standing != "current"}


def kinds(grid):
    """Return the names of the rules that must run again."""
    return {task.partition(" ")[0] for task in Planning(grid).stale()}


def task_of(grid, name, **key):
    """Return the first job of a rule whose key has these values."""
    return next(
        task
        for task in Planning(grid).tasks
        if task.job.name == name
        and all(getattr(task.key, part) == value for part, value in key.items())
    )
