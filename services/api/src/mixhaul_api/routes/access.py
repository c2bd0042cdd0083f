"""The audit log, and erasing a driver."""

from __future__ import annotations

from typing import Any, Final

from mixhaul_api import problems
from mixhaul_api.auth.permissions import Permission, roles_that_may
from mixhaul_api.examples import audit as audit_examples
from mixhaul_api.examples import erasures as erasure_examples
from mixhaul_api.handlers import audit, erasures
from mixhaul_api.parameters.audit import AuditSearch
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.erasures import DriverErasure
from mixhaul_api.routes.route import Route
from mixhaul_api.shapes import audit as audit_shapes
from mixhaul_api.shapes import erasures as erasure_shapes

ROUTES: Final[tuple[Route[Any, Any], ...]] = (
    Route(
        operation="eraseDriver",
        method="POST",
        path="/api/drivers/{driverId}/erasure",
        tag="Access",
        summary="Erase a driver's personal data",
        description="Needs the role `admin`. Takes away all that MiX said of the driver but the id and the site, at "
        "once and for good: no sync, re-delivery or reprocessing brings it back, and MiX must be asked separately. "
        "Events stay for vehicles, sites and totals. `dryRun=true` tells what would happen. Asked for again, it "
        "changes nothing.",
        parameters=DriverErasure,
        body=NoBody,
        answer=erasure_shapes.Erasure,
        handler=erasures.erase,
        example=erasure_examples.ERASURE,
        roles=roles_that_may(Permission.ERASE),
        own_problems=(problems.NOT_FOUND, problems.AMBIGUOUS),
    ),
    Route(
        operation="getAuditLog",
        method="GET",
        path="/api/audit",
        tag="Access",
        summary="Who saw and changed what",
        description="Needs the role `auditor`, and a token that is not limited to sites. Every change, and every "
        "answer that shows a driver's data, with who asked, when, by which route, and whose data it was. A view "
        "appears within a second.",
        parameters=AuditSearch,
        body=NoBody,
        answer=audit_shapes.AuditPage,
        handler=audit.page,
        example=audit_examples.AUDIT,
        roles=roles_that_may(Permission.AUDIT_LOG),
        action="audit.viewed",
        recorded=True,
        whole_organisation=True,
        own_problems=(problems.NOT_FOUND, problems.INVALID_CURSOR),
    ),
)
