"""Whether the claims of a bundle are well formed, and registered before its runs."""

from __future__ import annotations

from collections.abc import Iterator

from reassess.analysis.registration import Recorded, claims_of, recorded, registration, withdrawn
from reassess.config.claims import Claims, contents, hash_of_claims, read_claims
from reassess.core.files import Json
from reassess.verify.report import listed
from reassess.verify.stored import Stored, differing, shown

KEYS = ("claims", "claims_hash")


def check_claims(stored: Stored, notes: list[str]) -> Iterator[str]:
    """Yield what is wrong with the claims of a bundle.

    Args:
        stored: the bundle.
        notes: receives which claims a reader should look at: those that differ from the ones of
            this version, and those that were not registered before the run.
    """
    study = stored.bundle.study
    held = [key for key in KEYS if key in study]
    if not held:
        notes.append(
            "no claims are recorded, as earlier versions wrote: those of this version are tested, "
            "and none of them was registered before the run"
        )
        return
    if len(held) == 1:
        yield f"study.json: {held[0]} without {next(key for key in KEYS if key not in held)}"
        return
    claims = claims_of(study)
    yield from differing(study["claims"], contents(claims), "study.json.claims")
    if study["claims_hash"] != (due := hash_of_claims(claims)):
        yield f"study.json.claims_hash: stored as {shown(study['claims_hash'])}, derived as {due}"
    notes += _notes(claims, recorded(stored.bundle.manifests))


def _notes(claims: Claims, records: Recorded) -> Iterator[str]:
    shipped = contents(read_claims())
    ours: Json = contents(claims)
    other = {
        "differ from those of this version": [
            n for n in ours if ours[n] != shipped.get(n, ours[n])
        ],
        "are none of this version's": [name for name in ours if name not in shipped],
        "of this version are missing": [name for name in shipped if name not in ours],
        "were withdrawn after the run": withdrawn(claims, records),
    }
    states = {name: registration(claim, records, records) for name, claim in claims.items()}
    for state, what in (
        ("changed after the run", "were changed after a run"),
        ("not registered before the run", "were not registered before all runs"),
    ):
        other[what] = [name for name, one in states.items() if one == state]
    for what, names in other.items():
        if names:
            yield f"{len(names)} claims {what} ({listed(names)})"
