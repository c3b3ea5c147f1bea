"""The benchmarks run, and refuse what must not be timed; the figures are not judged here."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline_tests.benchmarks import orchestration, pdf
from trading_pipeline_tests.benchmarks.__main__ import main
from trading_pipeline_tests.benchmarks.measure import (
    FULL,
    QUICK,
    Bench,
    Comparison,
    Reading,
    ResultsDifferError,
    Side,
    Sizes,
    Verdict,
    measure,
)
from trading_pipeline_tests.benchmarks.peers import Worker, peer_python
from trading_pipeline_tests.benchmarks.results import table_of, write_results
from trading_pipeline_tests.benchmarks.suites import SUITES, NotTimed, Suite, run

TINY = Sizes("tiny", 2_000, 2, ("1h",), "1h", 300, 1, 3_000, min_rounds=2, enough_s=0.0)


def differ(ours, theirs):
    return None if ours == theirs else f"{ours} against {theirs}"


def pair(ours, theirs, calls):
    def returning(value, name):
        def call():
            calls.append(name)
            return value

        return Side(name, call)

    return Comparison("a/b", returning(ours, "ours"), returning(theirs, "peer"), differ, 1.0)


def reading(ours_s, peer_s, goal=1.0):
    return Reading("a/b", "ours", "peer", goal, "", tuple(ours_s), tuple(peer_s))


def printed(results):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table_of(results, TINY))
    return captured.get()


@pytest.mark.parametrize(
    "name", ["indicators", "lake-read", "lake-write", "archive-import", "resample"]
)
def test_every_benchmark_of_a_suite_becomes_a_row_with_a_ratio(name, tmp_path):
    results = list(run(Bench(TINY, tmp_path), name))
    assert [result for result in results if not isinstance(result, Reading)] == []
    table = printed(results)
    for result in results:
        assert f"{result.ratio:.2f} (" in next(
            r for r in table.splitlines() if f"{result.name} " in r
        )


@pytest.mark.parametrize("suite", [pdf, orchestration], ids=["pdf", "orchestration"])
def test_the_sides_of_a_slow_benchmark_agree(suite, tmp_path):
    comparisons = suite.comparisons(Bench(TINY, tmp_path))
    comparison = next(comparisons)
    for side in (comparison.ours, comparison.peer):
        side.reset()
    assert comparison.difference(comparison.ours.run(), comparison.peer.run()) is None
    comparisons.close()


def test_different_results_are_refused_and_never_timed():
    calls = []
    with pytest.raises(ResultsDifferError, match="1 against 2"):
        measure(pair(1, 2, calls), TINY)
    assert calls == ["ours", "peer"]


def test_a_refusal_is_a_row_and_stops_no_other_benchmark(tmp_path, monkeypatch):
    monkeypatch.setitem(SUITES, "a", Suite(lambda _: (pair(1, n, []) for n in (2, 1))))
    refused, timed = run(Bench(TINY, tmp_path), "a")
    assert isinstance(refused, NotTimed)
    assert isinstance(timed, Reading)
    assert "refused" in printed([refused])


def test_a_peer_that_is_not_installed_is_skipped_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(
        SUITES, "a", Suite(lambda _: (pair(1, n, []) for n in ()), ("no_such_peer",))
    )
    (skipped,) = run(Bench(TINY, tmp_path), "a")
    assert skipped.outcome == "skipped"
    assert "no_such_peer" in printed([skipped])


def test_a_peer_that_cannot_be_installed_is_skipped_with_the_reason(tmp_path, monkeypatch):
    def comparisons(bench):
        peer_python(bench.folder / "peers", "--no-such-option")
        yield pair(1, 1, [])

    monkeypatch.setitem(SUITES, "a", Suite(comparisons))
    (skipped,) = run(Bench(TINY, tmp_path), "a")
    assert skipped.outcome == "skipped"
    assert "--no-such-option cannot be installed" in skipped.reason


def test_a_worker_answers_line_by_line_and_its_end_is_an_error(tmp_path):
    script = tmp_path / "echo.py"
    script.write_text(
        "import sys\nprint('noise')\n"
        "for line in sys.stdin:\n    print('worker:', line.strip() * 2, flush=True)\n    "
        "if line.startswith('end'): break\n"
    )
    with Worker(Path(sys.executable), script) as worker:
        assert worker.ask("ab") == "abab"
        assert worker.ask("end") == "endend"
        with pytest.raises((DataError, BrokenPipeError)):
            worker.ask("ab")


def test_each_side_goes_first_as_often_as_the_other():
    calls = []
    measure(pair(1, 1, calls), replace(TINY, min_rounds=4))
    assert calls[2:] == ["ours", "peer", "peer", "ours"] * 2


def test_real_sizes_measure_at_least_seven_rounds():
    assert min(FULL.min_rounds, QUICK.min_rounds) >= 7


def test_a_ratio_is_the_median_of_the_rounds_and_below_one_is_lost():
    lost = reading([2.0, 2.0, 1.0], [1.0, 1.5, 3.0], goal=1.5)
    assert (lost.ratio, lost.verdict, lost.meets_goal) == (0.75, Verdict.LOST, False)
    assert "lost, goal missed" in printed([lost])
    assert reading([1.0] * 3, [2.0, 2.0, 3.0]).verdict is Verdict.WON
    assert reading([1.0] * 4, [0.5, 0.5, 2.0, 2.0]).verdict is Verdict.EVEN


def test_the_file_holds_every_round(tmp_path):
    path = tmp_path / "bench" / "results.json"
    write_results(path, [reading([0.5, 0.5], [1.0, 2.0])], TINY, None)
    (row,) = json.loads(path.read_text())["benchmarks"]
    assert row["ratio"] == 3.0
    assert row["peer_ms"] == [1000.0, 2000.0]


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="indicators"):
        list(run(Bench(TINY, tmp_path), "indicator"))
    with pytest.raises(ConfigError, match="pdf/six-charts"):
        list(run(Bench(TINY, tmp_path), "pdf/six-chart"))
    assert "--only" in CliRunner().invoke(main, ["--help"]).output
