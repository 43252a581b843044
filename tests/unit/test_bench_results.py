"""Ratios of a bench with their spread, what got slower, and the page that they stand in."""

import json
from dataclasses import replace

import pytest

from reassess.bench import results, run
from reassess.bench.common import Measurement, Repeat
from reassess.bench.results import COMMITTED, END, PAGE, START, read_result, slower, with_table
from reassess.cli.main import act


def figure(name="step", ours=(2.0, 2.0, 2.5), **changes):
    repeats = tuple(Repeat(seconds, 5.0, 1.0) for seconds in ours)
    return replace(Measurement(name, "s", repeats, "a bare loop", "its products"), **changes)


@pytest.fixture
def result():
    return results.result_of([figure(), figure("start")], 0.5)


def test_ratios_are_those_of_pairs():
    one = figure()
    assert one.speedup == (2.0, 2.5, 2.5)
    assert one.share_of_limit == (0.4, 0.5, 0.5)
    assert one.line().endswith(
        "2.50 (2.00 to 2.50) times as fast as a bare loop; "
        "0.500 (0.400 to 0.500) of the speed of its products"
    )


def test_the_pairs_decide_even_if_the_machine_drifts():
    drifting = figure(repeats=(Repeat(1.0, 2.0), Repeat(10.0, 20.0), Repeat(3.0, 6.0)))
    assert drifting.speedup == (2.0, 2.0, 2.0)
    assert drifting.share_of_limit is None


def test_more_of_a_rate_is_faster():
    rate = figure(unit="tokens/s", less_is_faster=False)
    assert rate.speedup == (0.4, 0.4, 0.5)
    assert rate.share_of_limit == (2.0, 2.0, 2.5)


def test_a_result_is_read_as_it_was_written(result, tmp_path):
    results.write_result(result, tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == result


@pytest.mark.parametrize("text", ["[]", "{}", '{"figures": [{"name": "a"}]}', '{"figures": []}'])
def test_what_is_no_result_is_an_error_that_names_the_file(text, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(results.ReassessError, match=r"result\.json"):
        read_result(path)
    with pytest.raises(results.ReassessError, match=r"none\.json: there is no such result"):
        read_result(tmp_path / "none.json")


def test_only_what_is_slower_in_every_pair_is_found(result):
    within = replace(result, figures=(figure(ours=(2.4, 2.6, 2.7)), figure("start")))
    beyond = replace(result, figures=(figure(ours=(2.6, 2.7, 2.8)), figure("start", ours=(0.1,))))
    assert slower(result, within) == []
    assert slower(beyond, result) == [
        "start: 2.50 (2.00 to 2.50) after 50.0: times as fast as a bare loop"
    ]
    assert slower(result, beyond) == [
        "step: 1.85 (1.79 to 1.92) after 2.50 (2.00 to 2.50): times as fast as a bare loop"
    ]


def test_a_slower_machine_is_no_finding(result):
    def scaled(one):
        times = [Repeat(*(3 * value for value in repeat)) for repeat in one.repeats]
        return replace(one, repeats=tuple(times))

    assert slower(result, replace(result, figures=tuple(map(scaled, result.figures)))) == []


def test_without_a_baseline_the_limit_is_compared(result):
    def alone(ours):
        one = figure(repeats=tuple(Repeat(seconds, None, 1.0) for seconds in ours))
        return replace(result, figures=(one,))

    assert slower(alone([2.0, 2.1]), alone([3.0, 3.1])) == [
        "step: 0.328 (0.323 to 0.333) after 0.488 (0.476 to 0.500): of the speed of its products"
    ]


def test_what_one_run_lacks_and_other_hardware_are_said(result):
    other = replace(result, figures=(figure("new"),), hardware={**result.hardware, "cores": 999})
    lines = "\n".join(results.compared(result, other))
    assert f"another cores: {result.hardware['cores']} before, 999 now" in lines
    assert "new" in lines and "before not measured" in lines
    assert lines.count("not measured now") == 2


def test_two_files_are_compared_on_the_command_line(result, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "measure", None)  # nothing is measured
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    results.write_result(result, before)
    results.write_result(replace(result, figures=(figure(ours=(9.0,)), figure("start"))), after)
    assert act(["bench", "--compare", str(before), "--with", str(before)]) == 0
    assert act(["bench", "--compare", str(before), "--with", str(after)]) == 1
    assert "slower than before:\n  step: 0.556" in capsys.readouterr().err


def test_a_run_is_compared_with_a_file(result, tmp_path, monkeypatch):
    results.write_result(result, tmp_path / "before.json")
    now = replace(result, figures=(figure(ours=(9.0,)),))
    monkeypatch.setattr(run, "measure", lambda only, device: now)
    out = tmp_path / "now.json"
    arguments = ["bench", "--compare", str(tmp_path / "before.json"), "--out", str(out)]
    assert act(arguments) == 1
    assert read_result(out) == now  # kept, although something is slower


# --- the page ---------------------------------------------------------------------------------


def test_the_page_has_what_the_committed_result_gives():
    page = PAGE.read_text()
    assert with_table(page, read_result(COMMITTED)) == page


def test_every_committed_figure_has_a_baseline_a_limit_and_five_pairs():
    for one in read_result(COMMITTED).figures:
        assert one.baseline and one.limit, one.name
        assert len(one.repeats) >= 5, one.name
        assert all(None not in repeat for repeat in one.repeats), one.name


def test_a_table_replaces_the_one_before(result):
    page = f"above\n{START}\nold\n{END}\nbelow\n"
    written = with_table(page, result)
    assert written.startswith(f"above\n{START}\n") and written.endswith(f"{END}\nbelow\n")
    assert "old" not in written
    assert with_table(written, result) == written
    assert "| step | 2.00 s | 2.50 (2.00 to 2.50) | a bare loop |" in written


def test_a_page_without_marks_is_an_error(result):
    with pytest.raises(results.ReassessError, match="start of the measured table"):
        with_table("nothing", result)


def test_a_result_is_plain_json(result, tmp_path):
    results.write_result(result, tmp_path / "result.json")
    content = json.loads((tmp_path / "result.json").read_text())
    assert content["figures"][0]["repeats"][0] == [2.0, 5.0, 1.0]
