"""How all benchmarks measure: CPU time, rounds of all candidates in turn, medians, ratios."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


def median_times(
    candidates: Mapping[str, Callable[[], object]], *, rounds: int, calls: int = 1
) -> dict[str, float]:
    """CPU seconds of one call of each candidate: the median of `rounds`, in which all take turns.

    Taking turns makes them meet the same noise; the collector runs only between rounds, so that
    nobody pays for another's garbage.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            gc.collect()
            started = time.process_time()
            for _ in range(calls):
                call()
            times[name].append((time.process_time() - started) / calls)
    return {name: statistics.median(found) for name, found in times.items()}


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's table: a ratio, and the limits it must keep."""

    what: str
    ratio: float
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool:
        too_high = self.at_most is not None and self.ratio > self.at_most
        too_low = self.at_least is not None and self.ratio < self.at_least
        return not (too_high or too_low)


def report(title: str, rows: list[Row]) -> int:
    """Prints the table; 1 where a limit is not kept, else 0: a program's exit status."""
    print(title)
    width = max(len(row.what) for row in rows)
    for row in rows:
        bounds = [f"at most {row.at_most:g}"] if row.at_most is not None else []
        bounds += [f"at least {row.at_least:g}"] if row.at_least is not None else []
        limit = " and ".join(bounds) or "no limit"
        over = "" if row.kept else "  NOT KEPT"
        print(f"  {row.what:{width}}  {row.ratio:8.3f}  ({limit}){over}  {row.note}".rstrip())
    return 0 if all(row.kept for row in rows) else 1
