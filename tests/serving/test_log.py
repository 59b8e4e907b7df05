from __future__ import annotations

from pathlib import Path

import pytest

from harness.exceptions import UsageFault
from harness.serving import check_log


def test_a_log_of_a_further_connection_is_found_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "log[1].2.jsonl").touch()
    (tmp_path / "log[1].old.jsonl").touch()
    with pytest.raises(UsageFault, match=r"log\[1\]\.2\.jsonl exists"):
        check_log(tmp_path / "log[1].jsonl", replace=False)
    check_log(tmp_path / "log1.jsonl", replace=False)
