"""The conditions of a MixSource, each decided by a pure function from one gathered input."""

from mixhaul_operator.conditions.assemble import compute, with_times
from mixhaul_operator.conditions.finding import Blocker, Finding, JobFacts, Subject

__all__ = ["Blocker", "Finding", "JobFacts", "Subject", "compute", "with_times"]
