"""The command line: `reassess run`, `plan`, `status` and so on, and the groups of the others."""

from __future__ import annotations

import os
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

# One thread a job: two threads in one process are slower on small models, and change the last
# bits of a result.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import typer

from reassess.analysis.planned import Plan
from reassess.cli import bundles, grids, jobs, new
from reassess.cli.options import DEFAULT, PAPER, ConfigFile, Watch
from reassess.cluster import status as cluster_status
from reassess.cluster.doctor import examine_cluster
from reassess.cluster.environment import examine
from reassess.core import numerics, project
from reassess.core.errors import RESUME_ME, Interrupted, ReassessError
from reassess.core.fingerprint import fingerprint
from reassess.core.remedies import remedy
from reassess.core.search_path import keep_out_working_folder
from reassess.core.secrets import redact
from reassess.core.text import printable
from reassess.grid.study import Grid
from reassess.training.loading import quiet
from reassess.workflow import fork_server, tracking
from reassess.workflow import timeline as timelines
from reassess.workflow.jobs import JOBS
from reassess.workflow.plan import as_table
from reassess.workflow.plan import plan as estimate
from reassess.workflow.run import dry_run as preview_run
from reassess.workflow.run import run as run_grid
from reassess.worlds.base import world_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Does SFT or RL help here, and can the figure be trusted? `reassess run` does everything.",
)


@app.command()
def run(
    config: ConfigFile = DEFAULT,
    cores: Annotated[int | None, typer.Option(help="jobs at once; default: all cores")] = None,
    profile: Annotated[
        str, typer.Option(help="a profile: default, slurm, kubernetes, or a folder")
    ] = "default",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="only say how many jobs of each rule would run")
    ] = False,
    target: Annotated[
        list[str] | None, typer.Argument(help="files or rules to make instead of everything")
    ] = None,
) -> None:
    """Train, evaluate and draw the whole grid, and write the report. Resumes after a stop."""
    if dry_run:
        raise typer.Exit(preview_run(config, tuple(target or ()), profile))
    raise typer.Exit(run_grid(config, tuple(target or ()), cores, profile))


@app.command()
def plan(
    config: ConfigFile = PAPER,
    power: Annotated[
        bool, typer.Option("--power", help="instead, what each claim's planned cells can see")
    ] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(help="with --power: a run to take variances from; default: assumed ones"),
    ] = None,
) -> None:
    """Estimate what a grid costs: jobs, GPU-hours, money, disk and download, rule by rule."""
    grid = Grid.load(config)
    if power:
        typer.echo(_power_of(grid, bundle))
        return
    if bundle is not None:
        raise ReassessError("--bundle belongs to --power")
    price = world_of(grid).price()
    if price is None:
        raise ReassessError(f"{config}: the world {grid.config.world.kind!r} estimates no costs")
    typer.echo(as_table(estimate(grid), *price))
    typer.echo(
        f"an estimate: rates and lengths are those under `costs:` in {config}; nothing was "
        "measured on your cluster"
    )


def _power_of(grid: Grid, path: Path | None) -> str:
    """What claims can see on the cells that a grid plans, as a table."""
    from reassess.analysis.bundle import Bundle
    from reassess.analysis.power import as_table as power_table
    from reassess.analysis.power import prospects
    from reassess.bundles.archive import opened
    from reassess.bundles.collect import study_of

    counts = world_of(grid).benchmark_items(grid)
    items: dict[str, int] = {}
    for name, benchmark in grid.benchmarks.items():
        items[benchmark.role] = items.get(benchmark.role, 0) + counts[name]
    planned = Plan(study_of(grid, {}), {name: arm.method.kind for name, arm in grid.arms.items()})
    if path is None:
        return power_table(prospects(planned, grid.claims, items))
    with opened(path) as root:
        run = Bundle.load(root / "bundle")
        return power_table(prospects(planned, grid.claims, items, run))


@app.command()
def status(
    config: ConfigFile = DEFAULT,
    watch: Watch = None,
    timeline: Annotated[
        bool,
        typer.Option("--timeline", help="when each job ran, beside the shortest possible time"),
    ] = False,
    cores: Annotated[
        int | None,
        typer.Option(min=1, help="with --timeline: jobs at once; default: as many as ran at once"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="with --timeline: also draw it as .png, .svg or .pdf")
    ] = None,
) -> None:
    """Report what runs and where, what waits, and what failed with the end of its log."""
    grid = Grid.load(config)
    if timeline:
        found = timelines.timeline(grid, cores)
        typer.echo(timelines.as_text(found))
        if out is not None:
            timelines.draw(found, out)
            typer.echo(f"wrote {out}")
        return
    if out is not None or cores is not None:
        raise ReassessError("--out and --cores belong to --timeline")
    while True:
        lines = cluster_status.status(grid)
        typer.echo(cluster_status.as_text(lines))
        if watch is None or all(line.state == "done" for line in lines):
            return
        time.sleep(watch)
        typer.echo("")


@app.command()
def track(
    config: ConfigFile = DEFAULT,
    to: Annotated[
        Literal["trackio", "wandb"], typer.Option(help="wandb only if you have set it up yourself")
    ] = "trackio",
    watch: Watch = None,
) -> None:
    """Copy the histories of the cells into an experiment tracker, one run a cell."""
    grid = Grid.load(config)
    while True:
        place = tracking.store(grid) if to == "trackio" else to
        typer.echo(f"{tracking.track(grid, to)} updates sent to {place}")
        trained = all(grid.paths.train_manifest(cell).is_file() for cell in grid.trained)
        if watch is None or trained:
            break
        time.sleep(watch)
    if to == "trackio":
        folder, project = tracking.store(grid).resolve(), f"reassess-{grid.config.grid}"
        typer.echo(f"to look at it: TRACKIO_DIR={folder} trackio show --project {project}")


@app.command()
def doctor(
    config: ConfigFile = DEFAULT,
    profile: Annotated[
        str | None,
        typer.Option(help="also check the cluster of this profile: slurm, kubernetes, or a folder"),
    ] = None,
) -> None:
    """Check the environment, with --profile also a cluster; report what is wrong and the fix."""
    findings = examine()
    if profile is not None:
        findings += examine_cluster(profile, Grid.load(config))
    for finding in findings:
        typer.echo(finding.line())
    raise typer.Exit(int(any(not finding.fine for finding in findings)))


@app.command()
def bench(
    only: Annotated[list[str] | None, typer.Option(help="benchmarks to run; default: all")] = None,
    out: Annotated[Path | None, typer.Option(help="also write them as JSON")] = None,
    device: Annotated[
        str, typer.Option(help="cpu; cuda: the full size of Qwen2.5-VL-3B, random weights")
    ] = "cpu",
    compare: Annotated[
        Path | None,
        typer.Option(help="an earlier result: say what is slower, with exit status 1 if any is"),
    ] = None,
    given: Annotated[
        Path | None, typer.Option("--with", help="take this result; measure nothing")
    ] = None,
    table: Annotated[bool, typer.Option(help="print the result as Markdown")] = False,
    write_docs: Annotated[bool, typer.Option(help="write it into docs/speed.md")] = False,
) -> None:
    """Measure speed, as ratios to a baseline and to a limit of the same run, with their spread."""
    numerics.fix("fast")
    quiet()
    from reassess.bench import results
    from reassess.bench.run import measure

    before = results.read_result(compare) if compare else None
    result = results.read_result(given) if given else measure(only or (), device)
    if out is not None:
        results.write_result(result, out)
    if table:
        typer.echo(results.table(result))
    if write_docs:
        results.write_page(result)
    if before is not None:
        for line in results.compared(before, result):
            typer.echo(line)
        if found := results.slower(before, result):
            raise ReassessError("slower than before:\n  " + "\n  ".join(found))


@app.command()
def coverage(
    only: Annotated[
        list[str] | None, typer.Option(help="designs, or how their names begin; default: all")
    ] = None,
    replicates: Annotated[int, typer.Option(help="of each design")] = 2000,
    out: Annotated[Path | None, typer.Option(help="also write them as JSON")] = None,
    write_docs: Annotated[
        bool, typer.Option(help="write docs/coverage.json and the table of docs/statistics.md")
    ] = False,
) -> None:
    """Simulate how often each interval contains the truth, and how often a verdict is false."""
    from reassess.analysis import coverage as simulated

    result = simulated.measure(only or (), replicates)
    typer.echo(simulated.table(result))
    if out is not None:
        simulated.write_result(result, out)
    if write_docs:
        simulated.write_docs(result)


@app.command()
def leaks(
    pictures: Annotated[int, typer.Option(min=1, help="of each kind, of a benchmark's")] = 300,
    copies: Annotated[int, typer.Option(min=1, help="of each kind and change")] = 40,
    questions: Annotated[int, typer.Option(min=1, help="of each kind, of a benchmark's")] = 400,
    cost: Annotated[
        bool, typer.Option(help="also time a search at the size of the paper's grid")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="also write them as JSON")] = None,
    write_docs: Annotated[
        bool, typer.Option(help="write docs/contamination.json and docs/contamination.md")
    ] = False,
) -> None:
    """Plant copies of benchmark items among training rows, and count how many are found."""
    from reassess.bench.planted import cost as costs
    from reassess.bench.planted import page
    from reassess.bench.planted.rates import planted

    found = planted(pictures, copies, questions)
    result = page.result_of(found, costs.cost() if cost else None)
    typer.echo(page.tables(result))
    if out is not None:
        page.write_result(result, out)
    if write_docs:
        page.write_docs(result)


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="where to; it may exist")]) -> None:
    """Write configs and cluster profiles into a folder to start from."""
    for path in project.init(folder):
        typer.echo(f"wrote {path}")
    typer.echo(f"then: cd {folder} && reassess run")


@app.command(hidden=True)
def serve(address: str) -> None:
    """Run the fork server of `reassess run` at a socket."""
    fork_server.serve(address, _warm_up, act)


def _warm_up() -> None:
    """Import the heavy modules of all jobs, and compute what all manifests have."""
    quiet()
    for job in JOBS:
        for module in job.imports:
            import_module(module)
    fingerprint()


app.add_typer(jobs.jobs, name="job")
app.add_typer(bundles.bundles, name="bundle")
app.add_typer(grids.grids, name="grid")
app.add_typer(new.new, name="new")

# The spellings of the first version.
for command in (grids.check, grids.cells, grids.methods, grids.schema, grids.pin, grids.fetch):
    app.command(hidden=True)(command)
jobs.add_jobs(app, hidden=True, without=("fetch", "draw-figure"))
app.command("figures", hidden=True)(bundles.draw)
app.command("draw-figures", hidden=True)(bundles.draw)
app.command(hidden=True)(bundles.merge)
app.add_typer(bundles.verify, name="verify", hidden=True)


def act(arguments: list[str]) -> int:
    """Run one command; return its exit code. A `ReassessError` is printed without a traceback.

    Whatever an error quotes, a terminal is not steered by it, and no secret is in it.
    """
    keep_out_working_folder()
    try:
        app(arguments, prog_name="reassess")
    except Interrupted as stop:
        _report(str(stop))
        return RESUME_ME
    except ReassessError as error:
        _report(f"error: {error}")
        return 1
    except Exception as error:
        fix = remedy(error)
        _report(f"error: {error}; {fix}" if fix else traceback.format_exc())
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _report(text: str) -> None:
    typer.echo(printable(redact(text)), err=True)
