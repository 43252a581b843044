"""`reassess bundle …`: finished bundles are packed, drawn, merged and verified without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reassess.cli.options import DEFAULT, Archive, ConfigFile, Out
from reassess.figures import draw_figures
from reassess.grid.study import Grid

if TYPE_CHECKING:
    from reassess.verify.report import VerifyReport

PackOut = Annotated[Path, typer.Option("--out", help="the archive: a .zip file, or a folder")]
Source = Annotated[
    Path | None, typer.Option("--bundle", help="a bundle's folder, instead of the grid's own")
]
FigureNames = Annotated[
    list[str] | None, typer.Option(help="only this figure; may be given more than once")
]

bundles = typer.Typer(
    invoke_without_command=True,
    help="Pack, draw, merge and verify bundles: no GPU, no weights, no network.",
)
verify = typer.Typer(
    no_args_is_help=True,
    help="Reproduce figures, scores or training of a bundle; exit code 1 if anything differs.",
)


@bundles.callback()
def pack_by_default(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", hidden=True)] = None,
    config: Annotated[Path, typer.Option("--config", "-c", hidden=True)] = DEFAULT,
    source: Annotated[Path | None, typer.Option("--bundle", hidden=True)] = None,
) -> None:
    """Pack, draw, merge and verify bundles: no GPU, no weights, no network."""
    if context.invoked_subcommand is not None:
        return
    if out is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    pack(out, config, source)


@bundles.command()
def pack(out: PackOut, config: ConfigFile = DEFAULT, source: Source = None) -> None:
    """Pack scores, answers, histories, manifests, config and figures into one checked archive."""
    from reassess.bundles.archive import opened
    from reassess.bundles.archive import pack as write

    with opened(source or Grid.load(config).paths.bundle) as root:
        write(root / "bundle", out)
    typer.echo(f"{out}: check it with `reassess bundle verify figures --bundle {out}`")


@bundles.command()
def draw(bundle: Archive, out: Out = Path("redrawn"), figure: FigureNames = None) -> None:
    """Draw figures, tables and claims from a bundle; with --figure, only those figures."""
    from reassess.bundles.archive import opened, redraw

    if figure:
        with opened(bundle) as root:
            draw_figures(root / "bundle", out, figure)
    else:
        redraw(bundle, out)
    typer.echo(f"drawn into {out}")


@bundles.command()
def merge(
    first: Annotated[Path, typer.Argument(help="a bundle")],
    second: Annotated[Path, typer.Argument(help="another")],
    out: Out,
    keep: Annotated[
        Literal["first", "second"] | None,
        typer.Option(help="whose result counts where both ran a cell"),
    ] = None,
) -> None:
    """Merge two bundles; what they disagree on is named."""
    from reassess.bundles.merge import merge as put_together

    put_together(first, second, out, keep)
    typer.echo(f"merged into {out}")


@verify.command("figures")
def verify_figures(bundle: Archive) -> None:
    """Redraw everything and compare the bytes."""
    from reassess.verify.figures import verify_figures as check

    _conclude(check(bundle))


@verify.command("scores")
def verify_scores(bundle: Archive) -> None:
    """Grade every stored answer again, mathematical ones by a second grader too."""
    from reassess.verify.scores import verify_scores as check

    _conclude(check(bundle))


@verify.command("train")
def verify_train(
    bundle: Archive,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="train this cell again; default: the cheapest SFT cell"),
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="keep what is trained, in this folder")] = None,
) -> None:
    """Train cells again from nothing and compare weights, or at least scores and intervals."""
    from reassess.verify.training import verify_train as check

    _conclude(check(bundle, cell or [], keep))


def _conclude(report: VerifyReport) -> None:
    typer.echo(report.text())
    if report.differences:
        raise typer.Exit(1)


bundles.add_typer(verify, name="verify")
