"""The actions on finished bundles: pack, draw, merge, verify. They need no GPU, no weights and no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reassess.cli_options import DEFAULT, Archive, ConfigFile, Out

if TYPE_CHECKING:
    from reassess.verify import Report

bundles = typer.Typer()


@bundles.command()
def bundle(
    out: Annotated[Path, typer.Option("--out", help="the archive: a .zip file, or a folder")],
    config: ConfigFile = DEFAULT,
    source: Annotated[Path | None, typer.Option("--bundle", help="a bundle's folder, instead of the grid's own")] = None,
) -> None:
    """Pack a grid's scores, answers, histories, manifests, config and figures into one archive with checksums and descriptions."""
    from reassess.analysis.archive import opened, pack
    from reassess.grid import Grid

    with opened(source or Grid.load(config).results / "bundle") as root:
        pack(root / "bundle", out)
    typer.echo(f"{out}: checked by `reassess verify figures --bundle {out}`")


@bundles.command()
def figures(bundle: Archive, out: Out = Path("redrawn")) -> None:
    """Draw figures, tables and claims from a bundle: no GPU, no weights, no network."""
    from reassess.analysis.archive import redraw

    redraw(bundle, out)
    typer.echo(f"drawn into {out}")


@bundles.command()
def merge(
    first: Annotated[Path, typer.Argument(help="a bundle")],
    second: Annotated[Path, typer.Argument(help="another")],
    out: Out,
    keep: Annotated[Literal["first", "second"] | None, typer.Option(help="whose result counts where both ran a cell")] = None,
) -> None:
    """Merge two bundles; what they disagree on is named."""
    from reassess.analysis.merge import merge as put_together

    put_together(first, second, out, keep)
    typer.echo(f"merged into {out}")


verify = typer.Typer(
    no_args_is_help=True, help="Hold figures, scores or training against a bundle; exit code 1 if anything differs."
)
bundles.add_typer(verify, name="verify")


@verify.command("figures")
def verify_figures(bundle: Archive) -> None:
    """Draw everything again from the bundle: the same bytes?"""
    from reassess.verify import verify_figures as check

    _conclude(check(bundle))


@verify.command("scores")
def verify_scores(bundle: Archive) -> None:
    """Judge every stored answer again, mathematical ones by a second grader too: the same scores?"""
    from reassess.verify import verify_scores as check

    _conclude(check(bundle))


@verify.command("train")
def verify_train(
    bundle: Archive,
    cell: Annotated[list[str] | None, typer.Option(help="train this cell again; default: the cheapest SFT cell")] = None,
    keep: Annotated[Path | None, typer.Option(help="keep what is trained, in this folder")] = None,
) -> None:
    """Train cells again, from nothing: the same weights, or at least the same scores within their interval?"""
    from reassess.verify import verify_train as check

    _conclude(check(bundle, cell or [], keep))


def _conclude(report: Report) -> None:
    typer.echo(report.text())
    if report.differences:
        raise typer.Exit(1)
