"""`reassess new KIND NAME`: a file of the kind with everything filled in that must be.

A method may also live in a folder of yours, named under `plugins:` of a config; the other kinds are
files of the project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import jinja2
import typer

from reassess.cli.generate import write_generated
from reassess.core.errors import ReassessError, unknown
from reassess.core.files import write_text
from reassess.core.project import CHECKOUT, PACKAGE, ROOT
from reassess.grid.benchmarks import benchmarks_of
from reassess.worlds.hub.source import source_names

TEMPLATES = Path(__file__).with_name("templates")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LIKE = ("sft", "rl", "none")

new = typer.Typer(no_args_is_help=True, help="Add a method, figure, benchmark, source or world.")

Name = Annotated[str, typer.Argument(help="lower-case words, joined by dashes")]


@new.command()
def method(
    name: Name,
    like: Annotated[
        Literal["sft", "rl", "none"], typer.Option(help="what it does; none: a control")
    ] = "sft",
    into: Annotated[
        Path | None,
        typer.Option(help="a folder of your own, named under `plugins:`; default: the project's"),
    ] = None,
) -> None:
    """Add an arm's method: a class in one file."""
    folder = _project() / "methods" if into is None else into
    values = _values(name)
    _write({folder / f"{values['module']}.py": f"method-{like}.py"}, values)
    if into is None:
        _regenerate()
    else:
        typer.echo(f"name the folder in your config: `plugins: [{into}]`")


@new.command()
def figure(name: Name) -> None:
    """Add a figure: a function that draws from a bundle."""
    values = _values(name)
    _write({_project() / "figures" / f"{values['module']}.py": "figure.py"}, values)


@new.command()
def benchmark(
    name: Name,
    world: Annotated[
        Literal["micro", "paper"], typer.Option(help="the pack: generated, or public data")
    ] = "micro",
    source: Annotated[
        str | None, typer.Option(help="paper: the adapter of its rows; default: of its own name")
    ] = None,
) -> None:
    """Add a benchmark: a task file in lm-eval's format."""
    values = _values(name)
    adapter = source or values["module"]
    if world == "paper" and adapter not in source_names():
        raise ReassessError(
            f"{unknown('source', adapter, source_names())}; `reassess new source {name}` adds one"
        )
    streams = [
        one.metadata["scenes"]["stream"]
        for one in benchmarks_of("micro").values()
        if "stream" in one.metadata.get("scenes", {})
    ]
    values |= {"name": values["module"], "source": adapter, "stream": str(max(streams) + 1)}
    path = _project() / "evaluation" / "tasks" / world / f"{world}_{values['module']}.yaml"
    _write({path: f"benchmark-{world}.yaml"}, values)
    typer.echo(f"name it under evaluation.benchmarks of a config: {values['module']}")


@new.command()
def source(name: Name) -> None:
    """Add a source of public data: an adapter, and made-up rows in its layout for tests."""
    values, hub = _values(name), _project() / "worlds" / "hub"
    _write(
        {
            hub / "sources" / f"{values['module']}.py": "source.py",
            hub / "testing" / "examples" / f"{values['module']}.py": "source-example.py",
        },
        values,
    )


@new.command()
def world(name: Name) -> None:
    """Add a world: its part of the config, its class, and one benchmark."""
    values = _values(name)
    folder = _project() / "worlds" / values["module"]
    tasks = _project() / "evaluation" / "tasks" / values["module"]
    values |= {"name": values["module"]}
    _write(
        {
            folder / "__init__.py": "world-init.py",
            folder / "config.py": "world-config.py",
            folder / "world.py": "world.py",
            tasks / "tasks.py": "world-tasks.py",
            tasks / f"{values['module']}_main.yaml": "world-benchmark.yaml",
        },
        values,
    )
    _regenerate()


def _project() -> Path:
    """The package of a checkout.

    Raises:
        ReassessError: this is an installed wheel, whose files are not to be changed.
    """
    if not CHECKOUT:
        raise ReassessError(
            "an installed package is not to be changed: work in a checkout, or add a method with "
            "`reassess new method NAME --into FOLDER`"
        )
    return PACKAGE


def _values(name: str) -> dict[str, str]:
    """What templates fill in: the name, its module and its class.

    Raises:
        ReassessError: it cannot be a name.
    """
    if not NAME.fullmatch(name):
        raise ReassessError(f"{name!r} is no name: lower-case letters and digits, joined by dashes")
    title = "".join(word.capitalize() for word in name.split("-"))
    return {"name": name, "module": name.replace("-", "_"), "title": title}


def _write(files: Mapping[Path, str], values: Mapping[str, str]) -> None:
    """Write files from templates; all or none.

    Raises:
        ReassessError: one of them exists.
    """
    present = [str(path) for path in files if path.exists()]
    if present:
        raise ReassessError(f"{', '.join(present)} exists already; choose another name")
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    for path, template in files.items():
        write_text(path, environment.get_template(f"{template}.jinja").render(values))
        typer.echo(f"wrote {path}")


def _regenerate() -> None:
    """Bring the generated files up to date."""
    write_generated(ROOT)
    typer.echo(
        "brought the schema and the pages of docs up to date (`reassess grid schema --write`)"
    )
