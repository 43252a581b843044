"""Colours, markers and labels: the same arm looks the same in every figure.

What an arm is decides how it looks, not its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reassess.analysis.arms import ArmTraits

STYLE = Path(__file__).with_name("_style.mplstyle")

# Okabe and Ito's colours, which colour-blind readers can tell apart; markers say it again.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#777777"
OLIVE = "#5A5000"  # their yellow, darkened: on white the original is faint
SPARE_MARKERS = ("<", ">", "p", "*", "8", "d")
SPARE_COLOURS = (BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE)


@dataclass(frozen=True)
class ArmStyle:
    """How an arm is drawn."""

    colour: str
    marker: str
    label: str


HALF_FORMAT, COLD_START, FORMAT_ONLY = "grpo-half", "sft-grpo", "format-reward"
# By method, or by what sets an arm of GRPO apart.
STYLES = {
    "base": ArmStyle(GREY, "o", "base"),
    "sft": ArmStyle(BLUE, "s", "SFT"),
    "grpo": ArmStyle(RED, "^", "GRPO"),
    "dapo": ArmStyle(ORANGE, "v", "DAPO"),
    COLD_START: ArmStyle(GREEN, "D", "SFT, then GRPO"),
    HALF_FORMAT: ArmStyle(PURPLE, "P", "GRPO, reward half format"),
    FORMAT_ONLY: ArmStyle(SKY, "X", "GRPO on format alone"),
    "random-choice": ArmStyle(BLACK, "x", "random choice"),
    "blank-image": ArmStyle(OLIVE, "h", "base, blank image"),
}


def styles_of(arms: Mapping[str, ArmTraits]) -> dict[str, ArmStyle]:
    """How each arm is drawn, by name.

    The first arm of its kind has a style of its own; any other is labelled with its name and has
    a colour and marker that follow from its method and its number among the arms of it.
    """
    styles: dict[str, ArmStyle] = {}
    for arm in sorted(arms.values(), key=lambda arm: (arm.variant, arm.method, arm.name)):
        style = STYLES.get(_style_key(arm))
        styles[arm.name] = style if style and style not in styles.values() else _spare(arm)
    return styles


def _style_key(arm: ArmTraits) -> str:
    if arm.format_only:
        return FORMAT_ONLY
    if arm.method == "grpo" and arm.cold_start:
        return COLD_START
    if arm.method == "grpo" and arm.format_weight == 0.5:
        return HALF_FORMAT
    return arm.method


def _spare(arm: ArmTraits) -> ArmStyle:
    seed = f"{arm.method} {arm.variant}" if arm.variant else arm.method
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    return ArmStyle(
        SPARE_COLOURS[number % len(SPARE_COLOURS)],
        SPARE_MARKERS[number % len(SPARE_MARKERS)],
        arm.name,
    )
