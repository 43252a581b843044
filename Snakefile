# The whole study as files: `snakemake` makes everything; any file below results/ can be asked for by its name.
from pathlib import Path

from snakemake.utils import min_version

from reassess.figures import caption, figure_names
from reassess.grid.study import Grid
from reassess.workflow import jobs
from reassess.workflow.planning import stale_jobs
from reassess.workflow.rules import CELL, Again, JobRule, any_of
from reassess.workflow.signals import forward_to_trainers
from reassess.workflow.supervision import supervise

min_version("9.27")

# The grid's config: by `--config config=FILE`, by `--configfile FILE`, or the default. How its path
# is written is no parameter of any rule.
CONFIG = str(config.get("config") or (workflow.configfiles or ["config.yaml"])[0])
GRID = Grid.load(CONFIG)
# Another folder than the grid's own: draw from it, train nothing.
BUNDLE = Path(config.get("bundle") or GRID.paths.bundle)
if BUNDLE.resolve() == GRID.paths.bundle.resolve():
    BUNDLE = GRID.paths.bundle
PARTIAL = bool(config.get("partial"))  # leave out the cells that failed
FIGURES, TABLES = GRID.paths.results / "figures", GRID.paths.results / "tables"
config["about"] = GRID.world.about  # the report's template reads it

# What is missing is made. What is there is made again if its record and the contents of its files
# say so, and for no other reason: no times of files, and none of Snakemake's own notes, which a
# copied folder lacks.
AGAIN = Again(GRID, workflow, PARTIAL) if workflow.is_main_process else None

TRAINS = BUNDLE == GRID.paths.bundle and not PARTIAL
STALE = AGAIN.stale if AGAIN and TRAINS else list


report: "workflow/report/workflow.rst"


wildcard_constraints:
    cell=CELL,
    base=any_of(GRID.bases),
    family=any_of(GRID.config.teachers),
    distribution=any_of(GRID.config.distributions),
    figure=any_of(figure_names()),
    shard=r"\d+",
    kind="model|dataset",
    org=r"[\w.-]+?",
    name=r"[\w.-]+",


rule all:
    default_target: True
    input:
        [
            path
            for job in jobs.drawing(GRID)
            for key in job.needed()
            for path in job.shown(key)
        ],
        lambda wildcards: STALE(),


# A partial bundle holds what there is: nothing is made for it, and nothing that failed tried again.
if not PARTIAL:

    include: "workflow/rules/hub.smk"
    include: "workflow/rules/data.smk"
    include: "workflow/rules/models.smk"
    include: "workflow/rules/train.smk"
    include: "workflow/rules/evaluate.smk"


include: "workflow/rules/analyse.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


onstart:
    supervise(GRID, local=workflow.local_exec)
    if AGAIN:
        AGAIN.planning.adopt()


onsuccess:
    if AGAIN and TRAINS and (stale := stale_jobs(GRID)):
        print(f"{len(stale)} jobs are out of date: run again")


# A cluster job's own Snakemake is started with hooks off, and is what the scheduler signals.
if workflow.remote_exec:
    forward_to_trainers()
