"""The performance report."""

from __future__ import annotations

from typing import Final

from mixhaul_api.csv_forms import CsvForm
from mixhaul_api.examples.common import FRESHNESS, ORGANISATION
from mixhaul_api.examples.infractions import INFRACTION
from mixhaul_api.report.table import table
from mixhaul_api.report.texts import PORTUGUESE
from mixhaul_api.shapes.infractions import EventTypeRef
from mixhaul_api.shapes.report import PerformanceReport, ReportFigures, ReportTrend

_NONE: Final[ReportFigures] = {"infractions": 0, "durationSeconds": 0, "minutes": 0.0}
_ONE: Final[ReportFigures] = {"infractions": 1, "durationSeconds": 42, "minutes": 0.7}
_TWO: Final[ReportFigures] = {"infractions": 2, "durationSeconds": 95, "minutes": 1.58}
_TYPE: Final[EventTypeRef] = INFRACTION["type"]
_DOWN: Final[ReportTrend] = {"average": 1.5, "change": -0.5, "percent": -33.3, "direction": "down"}

REPORT: Final[PerformanceReport] = {
    "organisationId": ORGANISATION,
    "organisationName": "Transportes Exemplo",
    "driver": {
        "id": "-5126071423112345678",
        "name": "João da Silva",
        "siteId": "4510918273645546372",
        "siteName": "Filial Campinas",
        "active": True,
        "employeeNumber": "20417",
    },
    "language": "pt",
    "timeZone": "America/Sao_Paulo",
    "generatedAt": "2026-12-02T09:00:05.120-03:00",
    "complete": True,
    "freshness": {**FRESHNESS, "asOf": "2026-12-02T08:59:53.118-03:00"},
    "months": [
        {"month": "2026-09", "firstDay": "2026-09-01", "lastDay": "2026-09-30", "missing": []},
        {"month": "2026-10", "firstDay": "2026-10-01", "lastDay": "2026-10-31", "missing": []},
        {"month": "2026-11", "firstDay": "2026-11-01", "lastDay": "2026-11-30", "missing": []},
    ],
    "weeks": [
        {"week": "2026-W44", "firstDay": "2026-11-01", "lastDay": "2026-11-01"},
        {"week": "2026-W45", "firstDay": "2026-11-02", "lastDay": "2026-11-08"},
        {"week": "2026-W46", "firstDay": "2026-11-09", "lastDay": "2026-11-15"},
        {"week": "2026-W47", "firstDay": "2026-11-16", "lastDay": "2026-11-22"},
        {"week": "2026-W48", "firstDay": "2026-11-23", "lastDay": "2026-11-29"},
        {"week": "2026-W49", "firstDay": "2026-11-30", "lastDay": "2026-11-30"},
    ],
    "types": [
        {
            "type": _TYPE,
            "months": [_TWO, _ONE, _ONE],
            "weeks": [_NONE, _NONE, _NONE, _NONE, _ONE, _NONE],
            "trend": _DOWN,
        }
    ],
    "total": {
        "months": [_TWO, _ONE, _ONE],
        "weeks": [_NONE, _NONE, _NONE, _NONE, _ONE, _NONE],
        "trend": _DOWN,
    },
    "rank": {"position": 12, "sharing": 2, "drivers": 84},
    "infractions": [INFRACTION],
    "infractionsOmitted": 0,
    "form": {
        "company": "Transportes Exemplo",
        "acknowledgement": PORTUGUESE.acknowledgement,
        "remarksLines": 3,
        "signatures": list(PORTUGUESE.signatures),
    },
}
CSV: Final = table(REPORT, CsvForm.PLAIN).decode()
HTML: Final = '<!doctype html>\n<html lang="pt-BR">\n<title>Relatório de desempenho do motorista</title>\n...'
