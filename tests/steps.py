"""Running single jobs of a grid in a test, without Snakemake."""

from reassess.workflow import jobs
from reassess.workflow.jobs.job import CellKey, NoKey, TracesKey


def train(grid, cell):
    jobs.Train(grid).run(CellKey(cell.id))


def evaluate(grid, cell):
    jobs.Evaluate(grid).run(CellKey(cell.id))


def judge(grid, cell):
    jobs.Judge(grid).run(CellKey(cell.id))


def collect(grid, partial=False):
    jobs.Collect(grid).run(jobs.Collect.key(partial))


def build_pool(grid):
    jobs.BuildPool(grid).run(NoKey())


def build_base(grid, model):
    jobs.BuildBase(grid).run(jobs.BuildBase.key(model))


def freeze_rows(grid, family, distribution):
    jobs.FreezeRows(grid).run(TracesKey(family, distribution))


def build_before_cells(grid, family="llava", model="llava-w32"):
    """Run the jobs that come before any cell."""
    build_pool(grid)
    jobs.BuildTokenizer(grid).run(NoKey())
    build_base(grid, model)
    keys = [TracesKey(family, name) for name in grid.config.distributions]
    for job in (jobs.GatherTraces(grid), jobs.FreezeRows(grid), jobs.PrepareRows(grid)):
        for key in keys:
            job.run(key)


def run_whole(grid):
    """Run every job up to the bundle."""
    build_before_cells(grid)
    for cell in sorted(grid.trained.values(), key=lambda cell: grid.start(cell) is not None):
        train(grid, cell)
    for cell in grid.cells.values():
        evaluate(grid, cell)
    collect(grid)
