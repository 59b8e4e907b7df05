"""The same hostile sessions, led by what code they reach: needs the extra `fuzz` (atheris, on Linux).

    python -m tests.hostile.fuzz -runs=5000        # 20 frames a run

Ends with a crash file where something escapes; give it as argument to see it again.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["harness"]):
    from harness.dialects import dialect_names
    from tests.hostile.sessions import assaulted


def one_run(data: bytes) -> None:
    given = atheris.FuzzedDataProvider(data)
    names = dialect_names()

    def dice(top: int) -> int:
        return int(given.ConsumeIntInRange(0, top - 1))

    assaulted(names[dice(len(names))], dice, played=bool(dice(2)))


if __name__ == "__main__":
    atheris.Setup([*sys.argv, "-max_len=2048", "-len_control=0", "-seed=1", "-rss_limit_mb=4096"], one_run)
    atheris.Fuzz()
