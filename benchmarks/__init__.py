"""Benchmarks: ratios to a peer, both sides measured in the same run. See README.md."""
