"""The Grafana dashboards, made in code: each module holds the panels of one, `panels.py` how they look."""

from __future__ import annotations

from typing import Final

from dashboards.api_database import API_DATABASE
from dashboards.ingest import INGEST
from dashboards.overview import OVERVIEW
from dashboards.panels import Dashboard, Panel, Query, rendered
from dashboards.upstream import UPSTREAM

__all__ = ["DASHBOARDS", "Dashboard", "Panel", "Query", "rendered"]

# By the name of the file.
DASHBOARDS: Final = {"overview": OVERVIEW, "ingest": INGEST, "upstream": UPSTREAM, "api-database": API_DATABASE}
