"""`reassess grid …`: what a grid is made of, and its public repositories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from reassess.cli.generate import config_schema, describe_methods, write_generated
from reassess.cli.options import DEFAULT, PAPER, ConfigFile
from reassess.core.errors import ReassessError, unknown
from reassess.grid.state import state_of
from reassess.grid.study import Grid
from reassess.worlds.hub.fetch import resolve
from reassess.worlds.hub.world import hub_of

grids = typer.Typer(no_args_is_help=True, help="What a grid is made of.")


@grids.command()
def check(config: ConfigFile = DEFAULT) -> None:
    """Check a config and report how large its grid is."""
    grid = Grid.load(config)
    typer.echo(
        f"{config}: grid {grid.config.grid!r} is valid: {len(grid.cells)} cells evaluated, "
        f"{len(grid.trained)} trained, {len(grid.claims)} claims"
    )


@grids.command()
def cells(
    config: ConfigFile = DEFAULT,
    study: Annotated[str | None, typer.Option(help="only this study's cells")] = None,
) -> None:
    """List the cells of a grid and the state of each."""
    grid = Grid.load(config)
    if study is not None and study not in grid.study_cells:
        raise ReassessError(unknown("study", study, grid.study_cells))
    chosen = grid.study_cells[study] if study else list(grid.cells.values())
    for cell in chosen:
        typer.echo(f"{state_of(grid, cell):8}  {cell.id}")


@grids.command()
def methods(config: ConfigFile = DEFAULT) -> None:
    """List the methods found, with source, settings and deviations."""
    typer.echo(describe_methods(Grid.load(config).config.plugins))


@grids.command()
def schema(
    write: Annotated[
        bool, typer.Option(help="write config.yaml, the JSON schema and the method pages")
    ] = False,
) -> None:
    """Print the JSON schema of the config, or write all generated files of the project."""
    if write:
        for path in write_generated(Path.cwd()):
            typer.echo(f"wrote {path}")
    else:
        typer.echo(json.dumps(config_schema(), indent=2))


@grids.command()
def pin(
    config: ConfigFile = PAPER,
    move: Annotated[
        list[str] | None,
        typer.Option(help="NAME=REVISION: move this repository to that branch, tag or commit"),
    ] = None,
) -> None:
    """Resolve every public model and data set to a commit, with sizes and hashes. Needs the hub."""
    grid = Grid.load(config)
    moves = dict(one.partition("=")[::2] for one in move or ())
    for line in resolve(hub_of(grid).repositories(grid), hub_of(grid).pins, moves):
        typer.echo(line)


@grids.command()
def fetch(
    config: ConfigFile = PAPER,
    repo: Annotated[str | None, typer.Option(help="only this repository, as KIND/ORG/NAME")] = None,
) -> None:
    """Download the pinned repositories of a grid into the hub cache, or make their stand-ins."""
    grid = Grid.load(config)
    world = hub_of(grid)
    for kind, name in world.wanted(grid, repo):
        size = world.pin(kind, name).size
        typer.echo(f"{kind} {name}: {'size unknown' if size is None else f'{size / 1e9:.2f} GB'}")
        world.fetch(grid, kind, name)
