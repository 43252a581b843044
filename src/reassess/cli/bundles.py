"""`reassess bundle …`: finished bundles are packed, drawn, merged and verified without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reassess.bundles.checksums import is_packed, require_whole
from reassess.cli.options import DEFAULT, Archive, ConfigFile, Out
from reassess.core.text import printable
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

Sign = Annotated[
    Path | None,
    typer.Option(
        "--sign",
        help="sign it with this SSH key (a private one, or a public one whose private half an "
        "agent holds)",
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="load and run what the bundle's config names: plug-ins, benchmarks, files"
    ),
]

bundles = typer.Typer(
    invoke_without_command=True,
    help="Pack, draw, merge and verify bundles: no GPU, no weights, no network.",
)
verify = typer.Typer(
    invoke_without_command=True,
    help="Check and reproduce a bundle: all cheap levels, or one of them; exit code 1 if anything "
    "differs or could not be checked.",
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
def pack(
    out: PackOut, config: ConfigFile = DEFAULT, source: Source = None, sign: Sign = None
) -> None:
    """Pack scores, answers, histories, manifests, config and figures into one checked archive."""
    from reassess.bundles.archive import opened
    from reassess.bundles.archive import pack as write

    where = source or Grid.load(config).paths.bundle
    with opened(where) as root:
        if is_packed(root):
            require_whole(root, where)
        write(root / "bundle", out, sign)
    typer.echo(f"{out}: check it with `reassess bundle verify --bundle {out}`")


@bundles.command()
def draw(bundle: Archive, out: Out = Path("redrawn"), figure: FigureNames = None) -> None:
    """Draw figures, tables and claims from a bundle; with --figure, only those figures."""
    from reassess.bundles.archive import redraw

    redraw(bundle, out, figure or ())
    typer.echo(f"drawn into {out}")


@bundles.command()
def findings(
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="a bundle; default: the committed reference")
    ] = None,
    write_docs: Annotated[
        bool, typer.Option(help="write the committed reference's into README.md")
    ] = False,
) -> None:
    """Print accuracies by model and the verdict on every claim as the tables of README."""
    from reassess.analysis import findings as found
    from reassess.analysis.bundle import Bundle
    from reassess.bundles.archive import opened

    with opened(bundle or found.REFERENCE) as root:
        content = Bundle.load(root / "bundle")
        typer.echo(f"{found.accuracy_table(content)}\n\n{found.verdict_table(content)}")
    if write_docs:
        found.write_docs()


@bundles.command()
def merge(
    first: Annotated[Path, typer.Argument(help="a bundle")],
    second: Annotated[Path, typer.Argument(help="another")],
    out: Out,
    keep: Annotated[
        Literal["first", "second"] | None,
        typer.Option(help="whose result counts where both ran a cell"),
    ] = None,
    sign: Sign = None,
) -> None:
    """Merge two bundles; what they disagree on is named."""
    from reassess.bundles.merge import merge as put_together

    for note in put_together(first, second, out, keep, sign):
        typer.echo(f"note: {printable(note, lines=False)}")
    typer.echo(f"merged into {out}")


@verify.callback()
def verify_without_level(
    context: typer.Context,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="a bundle: an archive, or a folder")
    ] = None,
    trust: Trust = False,
    signer: Annotated[
        Path | None,
        typer.Option(
            "--signer",
            help="list of allowed signers (see ssh-keygen(1)): the bundle must be signed by one",
        ),
    ] = None,
) -> None:
    """Run every level but training: archive, contents, figures, scores."""
    if context.invoked_subcommand is not None:
        if bundle is not None or trust or signer is not None:
            raise typer.BadParameter("options of a level stand after its name", ctx=context)
        return
    if bundle is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    from reassess.verify.overall import verify_all

    outcome = verify_all(bundle, trust=trust, signers=signer)
    typer.echo(outcome.text())
    if not outcome.passed:
        raise typer.Exit(1)


@verify.command("contents")
def verify_contents(bundle: Archive, trust: Trust = False) -> None:
    """Derive again what follows from config, pool and cells: labels, answers, specs, totals."""
    from reassess.verify.contents import verify_contents as check

    _conclude(check(bundle, trust=trust))


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
    trust: Trust = False,
) -> None:
    """Train cells again from nothing and compare weights, or at least scores and intervals."""
    from reassess.verify.training import verify_train as check

    _conclude(check(bundle, cell or [], keep, trust=trust))


def _conclude(report: VerifyReport) -> None:
    typer.echo(report.text())
    if not report.passed:
        raise typer.Exit(1)


bundles.add_typer(verify, name="verify")
