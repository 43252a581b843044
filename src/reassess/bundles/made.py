"""What was made before the cells, by hash: tokenizers, bases and teachers, as bundles hold them.

With the hashes of the pool's splits, of the traces, and in each manifest of rows, weights and
answers, every stage of two runs can be compared.
"""

from __future__ import annotations

from pathlib import Path

from reassess.core.files import Json, read_json
from reassess.grid.study import Grid

TOKENIZER = "tokenizer.json"  # the file of a checkpoint that holds all of it


def made(grid: Grid) -> Json:
    """Hashes of what the jobs of a grid have made of their present specs.

    `bases` and `teachers` are of weights, by base and by family; `tokenizers` are of the file of
    each base, where it has one.
    """
    paths, specs = grid.paths, grid.specs
    bases = {
        name: manifest
        for name in grid.bases
        if (manifest := _current(paths.base_manifest(name), specs.base_hash(name)))
    }
    teachers = {
        family: manifest["weights_hash"]
        for family in grid.config.teachers
        for name, distribution in grid.config.distributions.items()
        if distribution.source == "teacher"
        and (manifest := _current(paths.teacher_manifest(family), specs.teacher_hash(family, name)))
    }
    files = {name: one.get("checkpoint_files", {}) for name, one in bases.items()}
    return {
        "tokenizers": {name: one[TOKENIZER] for name, one in files.items() if TOKENIZER in one},
        "bases": {name: one["weights_hash"] for name, one in bases.items()},
        "teachers": teachers,
    }


def _current(path: Path, spec_hash: str) -> Json | None:
    """A manifest, if it is there and of a spec."""
    manifest = read_json(path) if path.is_file() else None
    return manifest if manifest is not None and manifest.get("spec_hash") == spec_hash else None
