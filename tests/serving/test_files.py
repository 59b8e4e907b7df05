from __future__ import annotations

import subprocess
import sys

import pytest

SHOWS = """
import resource
from harness.serving import raise_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 400))
raise_file_limit()
raise_file_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_as_many_files_may_be_opened_as_the_system_allows() -> None:
    done = subprocess.run([sys.executable, "-c", SHOWS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(400, 400)"
