# The whole study as files: `snakemake` makes everything; any file below results/ can be asked for by its name.
from pathlib import Path

from snakemake.utils import min_version

from reassess.figures import caption, figure_names
from reassess.grid.study import Grid
from reassess.workflow import jobs
from reassess.workflow.rules import JobRule
from reassess.workflow.signals import forward_to_trainers

min_version("9.27")

# The grid's config: by `--config config=FILE`, by `--configfile FILE`, or the default.
CONFIG = str(config.get("config") or (workflow.configfiles or ["config.yaml"])[0])
GRID = Grid.load(CONFIG)
BUNDLE = Path(
    config.get("bundle") or GRID.paths.bundle
)  # another folder: draw from it, train nothing
PARTIAL = bool(config.get("partial"))  # leave out the cells that failed
FIGURES, TABLES = GRID.paths.results / "figures", GRID.paths.results / "tables"
config["about"] = GRID.world.about  # the report's template reads it


report: "workflow/report/workflow.rst"


wildcard_constraints:
    cell=r"[^ ]+/seed\d+",
    model="|".join(GRID.config.models),
    family="|".join(GRID.config.teachers),
    distribution="|".join(GRID.config.distributions),
    shard=r"\d+",
    kind="model|dataset",
    org=r"[\w.-]+?",


rule all:
    default_target: True
    input:
        [
            path
            for job in jobs.drawing(GRID)
            for key in job.needed()
            for path in job.shown(key)
        ],


include: "workflow/rules/hub.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


onstart:
    forward_to_trainers()


# A cluster job's own Snakemake is started with hooks off, and is what the scheduler signals.
if workflow.remote_exec:
    forward_to_trainers()
