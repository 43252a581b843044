"""The hashes of a checkpoint, by those of its files."""

from __future__ import annotations

from collections.abc import Mapping

from reassess.core.files import canonical_json, sha256_text

WEIGHTS = ".safetensors"  # how the name of a weight file ends


def hash_of_files(files: Mapping[str, str]) -> str:
    """The hash of the names and contents of all files, by their SHA-256 by name."""
    return sha256_text(canonical_json(dict(files)))


def hash_of_weights(files: Mapping[str, str]) -> str:
    """The hash of the contents of the weight files alone, in the order of their names."""
    weights = sorted(name for name in files if name.endswith(WEIGHTS) and "/" not in name)
    return sha256_text("".join(str(files[name]) for name in weights))
