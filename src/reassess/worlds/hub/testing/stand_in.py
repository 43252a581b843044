"""Stand-ins for public repositories: the same names, layouts and architectures, tiny content.

With them every job of the paper's grid runs on a laptop. Their scores say nothing about the models
they stand in for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from reassess.core.errors import ReassessError
from reassess.worlds.hub.config import HubConfig
from reassess.worlds.hub.fetch import repository_folder
from reassess.worlds.hub.pins import Kind
from reassess.worlds.hub.source import find_source
from reassess.worlds.hub.testing.data_sets import write_data_set


def make_repository(
    config: HubConfig, kind: Kind, repo: str, revision: str, sources: Iterable[str]
) -> None:
    """Write a repository into the hub cache's layout: `snapshots/<commit>/` and `refs/main`.

    Args:
        config: of the grid.
        kind: whether it is a model or a data set.
        repo: its name on the hub.
        revision: its made-up commit.
        sources: the adapters of the grid; those of this repository are written.

    Raises:
        ReassessError: no cache folder is configured; a made-up repository must not get into the
            user's own cache.
    """
    cache = config.world.cache
    if cache is None:
        raise ReassessError(
            "a stand-in needs world.cache: made-up repositories must not get into your own hub "
            "cache"
        )
    root = repository_folder(kind, repo, cache)
    folder = root / "snapshots" / revision
    temporary = root / f".{revision}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if kind == "model":
        _write_model(config, repo, temporary)
    else:
        for name in sources:
            if find_source(name).repo == repo:
                write_data_set(name, temporary)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary.rename(folder)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / "main").write_text(revision)


def _write_model(config: HubConfig, repo: str, folder: Path) -> None:
    from reassess.worlds.hub.testing.models import write_model

    write_model(config, repo, folder)
