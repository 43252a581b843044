# The whole study as files: `snakemake` makes everything; any file below results/ can be asked for by its name.
from snakemake.utils import min_version

from reassess import demand, wiring
from reassess.figures import caption, figure_names
from reassess.grid import Grid

min_version("9.27")

CONFIG = wiring.config_file(config, workflow.configfiles)
GRID = Grid.load(CONFIG)
R, S = str(GRID.results), str(GRID.scratch)
BUNDLE = config.get("bundle")  # a folder: draw from it and train nothing
PARTIAL = bool(config.get("partial"))  # go on without the cells that failed
KINDS = ("svg", "pdf", "png")
BUNDLE_FILES = [f"{BUNDLE or f'{R}/bundle'}/{name}" for name in wiring.BUNDLE_FILES]
wiring.begin(GRID)
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
        expand(f"{R}/figures/{{name}}.{{kind}}", name=figure_names(), kind=KINDS),
        expand(f"{R}/tables/{{name}}.html", name=wiring.TABLES),
        f"{R}/claims.json",


include: "workflow/rules/hub.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
