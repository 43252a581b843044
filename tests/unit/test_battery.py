"""Eight waves of cases on which the verifier was mended (tests/adversarial/README.md)."""

import json
from pathlib import Path

import pytest

from reassess.verifier.grading import grade_all

BATTERY = Path(__file__).parents[1] / "adversarial" / "battery.jsonl"
CASES = [json.loads(line) for line in BATTERY.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    "one_in", [pytest.param(1, id="all", marks=pytest.mark.slow), pytest.param(6, id="a sixth")]
)
@pytest.mark.parametrize("wave", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("right", [True, False])
def test_no_wrong_answer_pays_and_no_right_one_is_lost(wave, right, one_in):
    cases = [case for case in CASES if case["wave"] == wave and case["right"] is right]
    assert len(cases) > 50
    cases = cases[one_in // 2 :: one_in]
    verdicts = grade_all(
        *([case[name] for case in cases] for name in ("completion", "gold", "kind"))
    )
    assert [case for case, verdict in zip(cases, verdicts, strict=True) if verdict.correct is not right] == []  # fmt: skip
