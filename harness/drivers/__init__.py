"""Implementations under test: how they are named, installed, started and driven."""

from harness.drivers.environments import Environments
from harness.drivers.host import DriverHost
from harness.drivers.implementation import (
    BUNDLED,
    Implementation,
    implementation_names,
    parse_implementation,
)

__all__ = [
    "BUNDLED",
    "DriverHost",
    "Environments",
    "Implementation",
    "implementation_names",
    "parse_implementation",
]
