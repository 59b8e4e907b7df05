"""`python -m harness` is `realtime-harness`."""

import sys

from harness.cli.main import main

sys.exit(main())
