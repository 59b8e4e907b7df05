"""Renders results as HTML pages that stand alone. The one home of `jinja2`."""

from harness.html.render import render_diff, render_index, render_page, write_pages

__all__ = ["render_diff", "render_index", "render_page", "write_pages"]
