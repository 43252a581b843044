"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="the grid's config file")]
Archive = Annotated[Path, typer.Option("--bundle", help="a bundle: an archive, or a folder")]
Out = Annotated[Path, typer.Option("--out", help="where to write")]
Watch = Annotated[
    float | None, typer.Option(help="repeat after this many seconds, until everything is done")
]
DEFAULT = Path("config.yaml")
PAPER = Path("config/paper.yaml")
