"""Whether claims stood before the runs that test them.

Each training records the digests of the claims as they stand when it begins. A bundle holds the
claims themselves, as they stood when it was collected. What was changed, added or withdrawn between
the two is said beside the verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from reassess.config.claims import Claim, Claims, claim_of, read_claims
from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED, Json

Registration = Literal[
    "registered before the run",
    "changed after the run",
    "not registered before the run",
    "withdrawn after the run",
]
Recorded = Mapping[str, Mapping[str, str] | None]  # by cell, digests by claim; None: not recorded


def claims_of(study: Json) -> Claims:
    """The claims of a bundle; of one that holds none, as of earlier versions, the project's own.

    Raises:
        ReassessError: one of them is no claim.
    """
    held = study.get("claims")
    if held is None:
        return read_claims()
    if not isinstance(held, dict):
        raise ReassessError("study.json: claims: found no mapping of claims by id")
    place = Path("study.json")
    found = {name: claim_of(content, place, f"claims.{name}") for name, content in held.items()}
    for name, claim in found.items():
        if claim.id != name:
            raise ReassessError(f"study.json: claims.{name}: its id is {claim.id!r}")
    return {name: found[name] for name in sorted(found)}


def recorded(manifests: pd.DataFrame) -> dict[str, Mapping[str, str] | None]:
    """By trained cell, the digests of claims that its training recorded.

    Raises:
        ReassessError: a manifest cannot be read; names the cell.
    """
    trained = manifests[(manifests["kind"] != "none") & manifests["manifest"].notna()]
    return {
        str(cell): _digests(str(cell), text)
        for cell, text in zip(trained["cell"], trained["manifest"], strict=True)
    }


def _digests(cell: str, manifest: str) -> Mapping[str, str] | None:
    try:
        found = json.loads(manifest)["train"].get("claims")
    except MALFORMED as error:
        raise ReassessError(f"{cell}: its manifest cannot be read ({error})") from error
    return found if isinstance(found, dict) else None


def registration(claim: Claim, cells: Iterable[str], records: Recorded) -> Registration | None:
    """How a claim stood when the cells that test it were trained; None if none of them was.

    It is changed if it was another one when any cell of the bundle was trained: whoever changed it
    then may have seen that cell.

    Args:
        claim: the claim as the bundle holds it.
        cells: the cells that test it.
        records: by trained cell, the digests that its training recorded.
    """
    stood = [(records[cell] or {}).get(claim.id) for cell in cells if cell in records]
    if not stood:
        return None
    if changed({claim.id: claim}, records):
        return "changed after the run"
    return "registered before the run" if all(stood) else "not registered before the run"


def changed(claims: Claims, records: Recorded) -> set[str]:
    """The ids of claims that are no longer what some training recorded."""
    stood = {(name, digest) for held in records.values() for name, digest in (held or {}).items()}
    return {name for name, digest in stood if name in claims and claims[name].digest != digest}


def withdrawn(claims: Claims, records: Recorded) -> list[str]:
    """The ids of claims that stood before a run and that the bundle no longer holds, sorted."""
    stood = {name for digests in records.values() for name in digests or {}}
    return sorted(stood - {*claims})
