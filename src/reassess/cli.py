"""The typed command line. Every rule of the workflow calls one of these actions, so any job can be rerun by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

# One thread a job: two threads in one process are slower on small models, and change the last bits of a result.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import typer

from reassess.cli_bundles import bundles
from reassess.cli_options import DEFAULT, BundleDir, CellId, ConfigFile, DistributionName, Family, ModelName, Out
from reassess.errors import RESUME_ME, Interrupted, ReassessError

if TYPE_CHECKING:
    from reassess.grid import Cell, Grid

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Does SFT or RL help here, and can the figure be trusted? `reassess run` does everything; the others are its steps.",
)


def _grid(config: Path) -> Grid:
    from reassess.grid import Grid

    return Grid.load(config)


# --- everything -----------------------------------------------------------------------------------------------------


@app.command()
def run(
    config: ConfigFile = DEFAULT,
    cores: Annotated[int | None, typer.Option(help="jobs at once; default: all cores")] = None,
    target: Annotated[list[str] | None, typer.Argument(help="files or rules to make instead of everything")] = None,
) -> None:
    """Train, evaluate and draw the whole grid, then write the report. Interrupted runs go on where they stopped."""
    from reassess.run import run as run_grid

    raise typer.Exit(run_grid(config, tuple(target or ()), cores))


@app.command()
def check(config: ConfigFile = DEFAULT) -> None:
    """Check a config and say how large its grid is."""
    grid = _grid(config)
    trained = len(grid.trained)
    typer.echo(f"{config}: grid {grid.config.grid!r} is valid: {len(grid.cells)} cells evaluated, {trained} trained")


@app.command()
def plan(config: ConfigFile = Path("config/paper.yaml")) -> None:
    """Estimate what a grid costs before it is submitted: jobs, GPU-hours, money, disk and download, rule by rule."""
    from reassess.plan import as_table
    from reassess.plan import plan as estimate
    from reassess.worlds.hub.world import hub_of

    grid = _grid(config)
    costs = hub_of(grid).config.costs
    typer.echo(as_table(estimate(grid), costs.price, costs.currency))
    typer.echo(f"an estimate: rates and lengths are those under `costs:` in {config}; nothing was measured on your cluster")


@app.command()
def cells(config: ConfigFile = DEFAULT, study: Annotated[str | None, typer.Option(help="only this study's cells")] = None) -> None:
    """List the cells of the grid and the state of each."""
    from reassess.errors import unknown
    from reassess.state import state_of

    grid = _grid(config)
    if study is not None and study not in grid.study_cells:
        raise ReassessError(unknown("study", study, grid.study_cells))
    chosen = grid.study_cells[study] if study else list(grid.cells.values())
    for cell in chosen:
        typer.echo(f"{state_of(grid, cell):8}  {cell.id}")


@app.command()
def status(
    config: ConfigFile = DEFAULT,
    watch: Annotated[float | None, typer.Option(help="look again every so many seconds, until everything is done")] = None,
) -> None:
    """Say what runs and where, what waits, and what failed with the end of its log; with or without a Snakemake at work."""
    import time

    from reassess.status import as_text
    from reassess.status import status as look

    grid = _grid(config)
    while True:
        lines = look(grid)
        typer.echo(as_text(lines))
        if watch is None or all(line.state == "done" for line in lines):
            return
        time.sleep(watch)
        typer.echo("")


@app.command()
def track(
    config: ConfigFile = DEFAULT,
    to: Annotated[Literal["trackio", "wandb"], typer.Option(help="wandb only if you have set it up yourself")] = "trackio",
    watch: Annotated[float | None, typer.Option(help="look again every so many seconds, until every cell is trained")] = None,
) -> None:
    """Copy the histories of the cells into an experiment tracker, a run a cell; again, it sends what is new."""
    import time

    from reassess.tracking import store
    from reassess.tracking import track as send

    grid = _grid(config)
    while True:
        typer.echo(f"{send(grid, to)} updates sent to {f'{store(grid)}' if to == 'trackio' else to}")
        if watch is None or all((grid.cell_dir(cell) / "train.json").is_file() for cell in grid.trained.values()):
            break
        time.sleep(watch)
    if to == "trackio":
        typer.echo(f"to look at it: TRACKIO_DIR={store(grid).resolve()} trackio show --project reassess-{grid.config.grid}")


@app.command()
def methods(config: ConfigFile = DEFAULT) -> None:
    """List the methods found, with source, settings and deviations."""
    from reassess.describe import describe_methods

    typer.echo(describe_methods(_grid(config).config.plugins))


@app.command()
def schema(
    write: Annotated[bool, typer.Option(help="write config.yaml, the JSON schema and the method pages into the project")] = False,
) -> None:
    """Print the JSON schema of the config, or write all generated files."""
    import json

    from reassess.describe import config_schema, write_generated

    if write:
        for path in write_generated(Path.cwd()):
            typer.echo(f"wrote {path}")
    else:
        typer.echo(json.dumps(config_schema(), indent=2))


@app.command()
def doctor(
    config: ConfigFile = DEFAULT,
    profile: Annotated[
        str | None, typer.Option(help="also look at the cluster of this profile: slurm, kubernetes, or a folder")
    ] = None,
) -> None:
    """Check the environment, and with --profile a cluster; say what is wrong and how to mend it."""
    from reassess.doctor import examine
    from reassess.doctor_cluster import examine_cluster

    findings = [*examine(), *(examine_cluster(profile, _grid(config)) if profile is not None else ())]
    for finding in findings:
        typer.echo(finding.line())
    raise typer.Exit(int(any(not finding.fine for finding in findings)))


@app.command()
def bench(
    config: ConfigFile = DEFAULT,
    only: Annotated[list[str] | None, typer.Option(help="benchmarks to run; default: all")] = None,
    out: Annotated[Path | None, typer.Option(help="also write the figures as JSON")] = None,
    device: Annotated[str, typer.Option(help="cpu; cuda: SFT and GRPO at the full size of Qwen2.5-VL-3B, random weights")] = "cpu",
) -> None:
    """Measure speed, each figure as a ratio against a named baseline timed in the same run."""
    from reassess.bench import benchmark, write_figures

    if device == "cuda":
        from reassess.bench_gpu import benchmark_gpu

        write_figures(benchmark_gpu(device), out)
        return
    benchmark(_grid(config), only or [], out)


# --- one step each, in the order of the data ------------------------------------------------------------------------


@app.command()
def pin(
    config: ConfigFile = Path("config/paper.yaml"),
    move: Annotated[
        list[str] | None,
        typer.Option(help="NAME=REVISION: move this repository to that branch, tag or commit; otherwise pins stay"),
    ] = None,
) -> None:
    """Resolve every public model and data set of a grid to a commit, with sizes and hashes of its files. Needs the hub."""
    from reassess.worlds.hub.pins import resolve
    from reassess.worlds.hub.world import hub_of

    grid = _grid(config)
    moves = dict(one.partition("=")[::2] for one in move or ())
    for line in resolve(hub_of(grid).repositories(grid), hub_of(grid).pins, moves):
        typer.echo(line)


@app.command()
def fetch(
    config: ConfigFile = Path("config/paper.yaml"),
    repo: Annotated[str | None, typer.Option(help="only this repository, as KIND/ORG/NAME (KIND: model or dataset)")] = None,
) -> None:
    """Download the pinned repositories of a grid into the hub cache, saying how large they are; or make their stand-ins."""
    from reassess.worlds.hub.world import hub_of

    grid = _grid(config)
    world = hub_of(grid)
    for kind, name in world.wanted(grid, repo):
        size = world.pin(kind, name).size
        typer.echo(f"{kind} {name}: {'size unknown' if size is None else f'{size / 1e9:.2f} GB'}")
        world.fetch(grid, kind, name)


@app.command("build-pool")
def build_pool(config: ConfigFile = DEFAULT) -> None:
    """Make every split of the pool and check what training and test share."""
    grid = _grid(config)
    grid.world.build_pool(grid)


@app.command("build-tokenizer")
def build_tokenizer(config: ConfigFile = DEFAULT) -> None:
    """Micro world: train its tokenizer."""
    from reassess.worlds.micro.build import train_tokenizer

    train_tokenizer(_grid(config))


@app.command("build-base")
def build_base(model: ModelName, config: ConfigFile = DEFAULT) -> None:
    """Make a base checkpoint: trained here in the micro world, a pinned public one elsewhere."""
    grid = _grid(config)
    grid.world.build_base(grid, model)


@app.command("build-teacher")
def build_teacher(family: Family, config: ConfigFile = DEFAULT) -> None:
    """Micro world: train a family's teacher from its strongest base."""
    from reassess.worlds.micro.build import train_teacher

    train_teacher(_grid(config), family)


@app.command("sample-shard")
def sample_shard(
    family: Family,
    distribution: DistributionName,
    shard: Annotated[int, typer.Option(help="which of the distribution's shards, from 0")] = 0,
    config: ConfigFile = DEFAULT,
) -> None:
    """Rejection-sample a shard of a family's traces from its teacher."""
    from reassess.data.build import make_shard

    make_shard(_grid(config), family, distribution, shard)


@app.command("gather-traces")
def gather_traces(family: Family, distribution: DistributionName, config: ConfigFile = DEFAULT) -> None:
    """Write a family's traces: those of all shards, or those the world gives."""
    from reassess.data.build import make_traces

    make_traces(_grid(config), family, distribution)


@app.command("freeze-rows")
def freeze_rows(family: Family, distribution: DistributionName, config: ConfigFile = DEFAULT) -> None:
    """Fix the rows that every arm of a family trains on in a distribution, and their order."""
    from reassess.data.build import freeze_rows as freeze

    freeze(_grid(config), family, distribution)


@app.command("prepare-rows")
def prepare_rows(family: Family, distribution: DistributionName, config: ConfigFile = DEFAULT) -> None:
    """Tokenise rows and preprocess pictures once for all arms."""
    from reassess.data.build import prepare_rows as prepare

    prepare(_grid(config), family, distribution)


@app.command()
def train(cell: CellId, config: ConfigFile = DEFAULT) -> None:
    """Train one cell; goes on from its last trainer checkpoint if it was interrupted."""
    from reassess.jobs import train_cell

    _in_cell(config, cell, train_cell)


@app.command()
def evaluate(cell: CellId, config: ConfigFile = DEFAULT) -> None:
    """Score one cell's checkpoint on every benchmark."""
    from reassess.jobs import evaluate_cell

    _in_cell(config, cell, evaluate_cell)


@app.command()
def judge(cell: CellId, config: ConfigFile = DEFAULT) -> None:
    """Let the configured judge model score a cell's stored answers, beside the rule-based score."""
    from reassess.jobs import judge_cell

    _in_cell(config, cell, judge_cell)


def _in_cell(config: Path, cell_id: str, action: Callable[[Grid, Cell], None]) -> None:
    """Run an action on a cell; leave `failed.json` beside its results if it fails."""
    from reassess.state import recording_failure

    grid = _grid(config)
    cell = grid.cell(cell_id)
    with recording_failure(grid, cell, action.__name__):
        action(grid, cell)


@app.command()
def collect(
    config: ConfigFile = DEFAULT,
    partial: Annotated[bool, typer.Option("--partial", help="go on without the cells that failed, and record them")] = False,
) -> None:
    """Gather the scores and histories of all cells into the bundle."""
    from reassess.analysis.bundle import collect as gather

    gather(_grid(config), partial)


@app.command("draw-figures")
def draw_figures(
    bundle: BundleDir,
    out: Out,
    figure: Annotated[list[str] | None, typer.Option(help="only this figure; may be given more than once")] = None,
) -> None:
    """Draw the figures from a bundle as SVG, PDF and PNG; the same bundle gives the same bytes."""
    from reassess.figures import draw_figures as draw

    draw(bundle, out, figure or None)


@app.command()
def tabulate(bundle: BundleDir, out: Out) -> None:
    """Write the tables of a bundle as CSV, Markdown and HTML."""
    from reassess.analysis.tables import tabulate as write

    write(bundle, out)


@app.command("test-claims")
def test_claims(bundle: BundleDir, out: Out) -> None:
    """Hold the paper's claims against a bundle: supported, contradicted, inconclusive or not run."""
    from reassess.analysis.bundle import Bundle
    from reassess.analysis.claims import test_claims as test

    test(Bundle.load(bundle), out)


app.add_typer(bundles)


def act(arguments: list[str]) -> int:
    """Run one action; return its exit code. A `ReassessError` is printed as a message, without a traceback."""
    try:
        app(arguments, prog_name="reassess")
    except Interrupted as stop:
        typer.echo(str(stop), err=True)
        return RESUME_ME
    except ReassessError as error:
        typer.echo(f"error: {error}", err=True)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def main() -> None:
    """Run the command line, in a fork of the warm server if there is one for this action."""
    from reassess.server import forward

    code = forward(sys.argv[1:])
    sys.exit(act(sys.argv[1:]) if code is None else code)


if __name__ == "__main__":
    main()
