"""`reassess job NAME`: what the rules of the workflow call, so that any job can be rerun by hand.

The commands derive from the list of jobs: their options are the fields of a job's key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature, getdoc
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from reassess.cli.options import DEFAULT, ConfigFile
from reassess.grid.study import Grid
from reassess.workflow.jobs import JOBS
from reassess.workflow.jobs.job import AnyJob

jobs = typer.Typer(
    no_args_is_help=True, help="One job, as a rule of the workflow calls it. All can be rerun."
)


def add_jobs(app: typer.Typer, hidden: bool = False, without: Sequence[str] = ()) -> None:
    """Add a command for each job, except those named."""
    for job in JOBS:
        if job.command() in without:
            continue
        app.command(job.command(), help=_help(job), hidden=hidden)(_action(job))


def _help(job: type[AnyJob]) -> str:
    return (getdoc(job) or "").partition("\n\n")[0]


def _action(job: type[AnyJob]) -> Callable[..., None]:
    """Return a function whose signature typer reads as the options of a job's command."""

    def action(config: Path | None = None, **options: object) -> None:
        grid = None if config is None else Grid.load_to_compute(config)
        job(grid).perform(job.key(**options))

    parameters = [_parameter(job, field) for field in fields(job.key)]
    if job.reads_config:
        parameters.append(_keyword("config", ConfigFile, DEFAULT))
    action.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return action


def _parameter(job: type[AnyJob], field: Field[Any]) -> Parameter:
    annotation = get_type_hints(job.key)[field.name]
    flag = [f"--{field.name}"] if annotation is bool else []
    option = typer.Option(*flag, help=field.metadata["help"])
    default = Parameter.empty if field.default is MISSING else field.default
    return _keyword(field.name, Annotated[annotation, option], default)


def _keyword(name: str, annotation: object, default: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


add_jobs(jobs)
