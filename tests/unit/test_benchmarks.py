"""The arithmetic of the benchmarks; how fast anything is, is no test."""

import math
from pathlib import Path

import pytest

from benchmarks.load import percentile
from benchmarks.mixed import Tally
from benchmarks.report import Failure, Row, at_least, at_most, by_ratio
from benchmarks.results import Results, add
from benchmarks.soak import Soak, due_at


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)]
)
def test_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    """ "the smallest that at least ``share`` of them do not exceed"."""
    assert percentile(list(range(1, 101)), share) == expected


def test_percentile_of_few_and_none() -> None:
    """The p99 of a few is the worst of them; of nothing there is none."""
    assert percentile([1.0, 7.0], 0.99) == 7.0
    assert math.isnan(percentile([], 0.5))


def test_what_is_due_is_even_and_complete() -> None:
    """ "evenly, ``rate`` a second, for so many seconds"."""
    due = list(due_at(10.0, 4.0, 2.0))
    assert due == [10.0, 10.25, 10.5, 10.75, 11.0, 11.25, 11.5, 11.75]


def test_memory_is_compared_after_what_is_kept_has_filled() -> None:
    """ "after a fifth, when what a process keeps is full": the first fifth counts as little as
    one high moment does."""
    filling, steady = list(range(20)), [100] * 79
    assert _soaked([*filling, *steady, 1000]).is_flat
    assert not _soaked([*filling, *[100 + rise for rise in range(80)]]).is_flat


def test_a_soak_with_an_error_is_not_good() -> None:
    """ "errors (must be 0)"."""
    soaked = _soaked([100] * 100)
    assert soaked.is_good
    soaked.tally.wrong("check: answers 500")
    assert not soaked.is_good


def _soaked(memory: list[int]) -> Soak:
    return Soak(capacity=100.0, seconds=1.0, tally=Tally(), memory=memory, busy=0.8)


def test_results_are_added_to(tmp_path: Path) -> None:
    """ "A row measured again replaces the older one", the others stay; failures are not kept."""
    path = tmp_path / "results" / "latest.json"
    add(path, "one machine", [_row("a", 0.5), _row("b", 0.5)], quick=True)
    add(path, "one machine", [_row("b", 0.7), Failure("c", "no")], quick=False)
    kept = Results.read(path)
    assert set(kept.rows) == {"a", "b"}
    assert (kept.figure("a", "ratio"), kept.figure("b", "ratio")) == (0.5, 0.7)
    assert (kept.rows["a"].quick, kept.rows["b"].quick) == (True, False)
    assert not kept.rows["a"].is_good
    assert kept.rows["b"].is_good


def _row(key: str, ratio: float) -> Row:
    return by_ratio(key, "", "", ratio, at_least(0.6), figures={"ratio": ratio}, key=key)


def test_targets() -> None:
    """A ratio that should be small misses above its limit, one that should be large below."""
    assert at_most(2.0).is_met_by(2.0)
    assert not at_most(2.0).is_met_by(2.01)
    assert not at_least(0.5).is_met_by(0.49)
