"""Judges a captured log against a dialect, without a server."""

from harness.lint.lint import Linted, LintReport, fitting_dialects, lint_log

__all__ = ["LintReport", "Linted", "fitting_dialects", "lint_log"]
