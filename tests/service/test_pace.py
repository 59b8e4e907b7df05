from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exceptions import UsageFault
from harness.service.pace import AT_ONCE, Pace

speeds = st.floats(0.01, 100)
times = st.floats(0, 10_000)


def test_at_once_speaks_as_far_as_it_can_on_a_clock_of_real_time() -> None:
    assert AT_ONCE.until(3.0) is None
    assert AT_ONCE.clock(3.0) == 3.0
    assert AT_ONCE.seconds_to(5.0, 3.0) == 2.0


def test_twice_as_fast_is_twice_as_fast() -> None:
    pace = Pace(speed=2)
    assert pace.clock(3.0) == pace.until(3.0) == 6.0
    assert pace.seconds_to(10.0, 3.0) == 2.0
    assert pace.seconds_to(1.0, 3.0) == 0.0


@given(speeds, times, times)
def test_after_the_wait_the_clock_is_there(speed: float, t: float, wall: float) -> None:
    pace = Pace(speed=speed)
    then = wall + pace.seconds_to(t, wall)
    assert pace.clock(then) >= t or math.isclose(pace.clock(then), t)


@given(speeds, times, times)
def test_the_clock_never_goes_back(speed: float, one: float, two: float) -> None:
    first, then = sorted((one, two))
    assert Pace(speed=speed).clock(first) <= Pace(speed=speed).clock(then)


def test_the_first_pattern_that_fits_says_the_delay() -> None:
    pace = Pace(delays=(("response.output_audio.delta", 0.1), ("*.delta", 0.2)))
    assert pace.delay(["response.audio.delta", "response.output_audio.delta"]) == 0.1
    assert pace.delay(["response.output_text.delta"]) == 0.2
    assert pace.delay(["response.done"]) == 0.0
    assert pace.delay([]) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0.0},
        {"speed": -1.0},
        {"speed": math.inf},
        {"speed": math.nan},
        {"latency": -0.1},
        {"latency": math.inf},
        {"delays": (("*.delta", -1.0),)},
    ],
)
def test_what_is_no_pace_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageFault):
        Pace(**wrong)  # type: ignore[arg-type]
