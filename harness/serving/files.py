"""How many files the process may open: each connection is one, and shells allow for few."""

from __future__ import annotations

try:
    import resource
except ImportError:  # Windows, which knows no such limit
    resource = None  # type: ignore[assignment]


def raise_file_limit() -> None:
    """Lets the process open as many files as it may allow itself."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
