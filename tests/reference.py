"""A small part of the reference run as a bundle of its own, and what an attacker does to it.

The part is true: its scores, histories and manifests are those of the run, and its config differs from
the run's in the studies alone, so that every spec is the same.
"""

import copy
import json
from functools import cache

import pandas as pd

from reassess.bundles.checksums import write_sums
from reassess.bundles.collect import study_of, write_bundle
from reassess.bundles.description import describe
from reassess.bundles.stored_answers import ANSWERS, write_answers
from reassess.core.files import read_json
from reassess.core.project import ROOT
from reassess.grid.foreign import load_foreign

REFERENCE = ROOT / "results/reference/micro/bundle"
TABLES = ("scores", "history", "manifests", "predictions")


def study(question, models, methods, size=20, seeds=(1,)):
    return {
        "question": question, "models": models, "methods": methods, "sizes": [size],
        "distributions": ["same-family"], "seeds": list(seeds),
    }  # fmt: skip


STUDIES = {
    "scale": study("How much?", ["llava-w32"], ["base", "sft", "grpo"], seeds=(1, 2)),
    "reward": study("Is it enough?", ["llava-w32"], ["sft-grpo", "dapo"]),
    "controls": study(
        "Where is the floor?", ["llava-w64"], ["base", "random-choice", "blank-image"]
    ),
    "transfer": study("And elsewhere?", ["qwen3vl-w32"], ["base", "sft"], size=2000),
}


@cache
def whole():
    """The tables and terms of the reference run."""
    tables = {name: pd.read_parquet(REFERENCE / f"{name}.parquet") for name in TABLES}
    for frame in tables.values():
        for name in frame.select_dtypes("category"):
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return tables, read_json(REFERENCE / "study.json")


class Part:
    """Tables and terms of a part of the reference run, which can be changed and written."""

    def __init__(self, studies=None, nowhere="/nonexistent"):
        tables, whole_study = whole()
        self.config = copy.deepcopy(whole_study["config"]) | {"studies": studies or STUDIES}
        self.grid = load_foreign({**self.config, "results": nowhere, "scratch": nowhere}, REFERENCE)
        for name, frame in tables.items():
            chosen = frame[frame["cell"].isin(self.grid.cells)]
            setattr(self, name, chosen.reset_index(drop=True).copy())
        self.study = study_of(
            self.grid,
            self._hours(whole_study["costs"]),
            copy.deepcopy(whole_study["traces"]),
            copy.deepcopy(whole_study.get("pool")),
        )
        # Runs of an earlier version hold neither.
        if "pool" not in whole_study:
            del self.study["pool"]
        if "made" in whole_study:
            self.study["made"] = {
                part: {
                    name: one
                    for name, one in held.items()
                    if part == "teachers" or name in self.grid.bases
                }
                for part, held in whole_study["made"].items()
            }

    def _hours(self, of_run):
        hours = {"sample_shard": dict(of_run["sample_shard"])}  # every part has all its traces
        records = [json.loads(text) for text in self.manifests["manifest"]]
        for rule, part in (("train", "train"), ("evaluate", "evaluate")):
            seconds = [record[part]["seconds"] for record in records if record[part]]
            hours[rule] = {
                "measured_jobs": len(seconds), "estimated_hours": None,
                "measured_hours": round(sum(seconds) / 3600, 4),
            }  # fmt: skip
        return hours

    def rows(self, table, cell):
        """Where the rows of a cell are in a table."""
        return getattr(self, table)["cell"] == cell

    def edit_manifest(self, cell, change):
        """Change the JSON of a cell's manifest in place, by a function."""
        place = self.manifests.index[self.rows("manifests", cell)][0]
        record = json.loads(self.manifests.loc[place, "manifest"])
        change(record)
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.manifests.loc[place, "manifest"] = text

    def write(self, root):
        """Write the bundle into a folder, with descriptions and checksums that fit it."""
        folder = root / "bundle"
        folder.mkdir(parents=True, exist_ok=True)
        frames = {name: getattr(self, name) for name in TABLES if name != "predictions"}
        write_bundle(folder, frames, self.study)
        cells = [rows for _, rows in self.predictions.groupby("cell", sort=True)]
        write_answers(folder / ANSWERS, cells, sampled="sampled" in self.predictions)
        return seal(root)


def seal(root):
    """Describe what a folder holds now, and list it in the checksums."""
    describe(root)
    write_sums(root)
    return root
