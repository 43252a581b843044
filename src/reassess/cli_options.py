"""Options that several actions of the command line take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="the grid's config file")]
ModelName = Annotated[str, typer.Option("--model", help="a model of the config")]
Family = Annotated[str, typer.Option("--family", help="a model family of the config")]
DistributionName = Annotated[str, typer.Option("--distribution", help="a distribution of the config")]
CellId = Annotated[str, typer.Option("--cell", help="a cell, as `reassess cells` lists it")]
BundleDir = Annotated[Path, typer.Option("--bundle", help="the folder of the bundle to draw from")]
Archive = Annotated[Path, typer.Option("--bundle", help="a bundle: an archive, or a folder")]
Out = Annotated[Path, typer.Option("--out", help="where to write")]
DEFAULT = Path("config.yaml")
