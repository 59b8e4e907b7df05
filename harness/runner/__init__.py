"""Runs cases: a server, a driver, a plan, and the checks over what came of it."""

from harness.runner.case import NO_FAULT, CasePlan, run_case
from harness.runner.drive import PATIENCE
from harness.runner.run import Selection, plan_run, run_all

__all__ = ["NO_FAULT", "PATIENCE", "CasePlan", "Selection", "plan_run", "run_all", "run_case"]
