"""Colours, markers and names: the same arm looks the same in every figure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

STYLE = Path(__file__).with_name("_style.mplstyle")

# Okabe and Ito's colours, which colour-blind readers can tell apart; markers say the same a second time.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#777777"
OLIVE = "#5A5000"  # their yellow, darkened: on white the original is faint
KNOWN = {
    "base": (GREY, "o"),
    "sft": (BLUE, "s"),
    "grpo": (RED, "^"),
    "dapo": (ORANGE, "v"),
    "sft-grpo": (GREEN, "D"),
    "grpo-half": (PURPLE, "P"),
    "format-reward": (SKY, "X"),
    "random-choice": (BLACK, "x"),
    "blank-image": (OLIVE, "h"),
}
SPARE_MARKERS = ("<", ">", "p", "*", "8", "d")
SPARE_COLOURS = (BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE)

LABELS = {
    "sft": "SFT",
    "grpo": "GRPO",
    "dapo": "DAPO",
    "sft-grpo": "SFT, then GRPO",
    "grpo-half": "GRPO, reward half format",
    "format-reward": "GRPO on format alone",
    "random-choice": "random choice",
    "blank-image": "base, blank image",
}


@dataclass(frozen=True)
class Look:
    """How an arm is drawn."""

    colour: str
    marker: str
    label: str


def look(arm: str) -> Look:
    """Return how an arm is drawn; an arm not named here gets a look that depends on its name alone."""
    if arm in KNOWN:
        colour, marker = KNOWN[arm]
    else:
        number = int.from_bytes(hashlib.sha256(arm.encode()).digest()[:4], "big")
        colour, marker = (
            SPARE_COLOURS[number % len(SPARE_COLOURS)],
            SPARE_MARKERS[number % len(SPARE_MARKERS)],
        )
    return Look(colour, marker, LABELS.get(arm, arm))
