"""Tests made from the OpenAPI document: whatever route is added is tested for isolation, tokens and surprises."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from mixhaul_api import openapi
from support import api_data
from support.api_data import MARK_A, MARK_B, ORGANISATION_A, ORGANISATION_B, Fleet, planted
from support.api_server import ApiProcess, Contract, running, token
from support.postgres import Server

OF_B = {
    "driverId": [api_data.DRIVER_OF_B, api_data.DRIVER_OF_BOTH, api_data.DRIVER],
    "eventTypeId": [api_data.TYPE_OF_B, api_data.SPEEDING],
    "organisationId": [ORGANISATION_B, f"{ORGANISATION_A}@integrate.uat.example:8443"],
    "search": [MARK_B, "a"],
    "family": ["driving infraction"],
    "type": [api_data.TYPE_OF_B, api_data.SPEEDING],
    "isInfraction": ["true", "false"],
    "from": ["2026-01-01"],
    "to": ["2026-12-31"],
    "timeZone": ["America/Sao_Paulo"],
    "limit": [1, 200],
    "month": ["2026-11"],
    "language": ["pt", "en"],
    "csvForm": ["plain"],
    "severity": ["high"],
    "vehicleId": [api_data.VEHICLE],
    "siteId": [api_data.SITE],
    "minOverKmh": ["1"],
    "includeTotal": ["true"],
    "dryRun": ["true", "false"],
    "actor": ["test"],
    "action": ["driver.viewed"],
    "eventId": [api_data.FIRST_EVENT, api_data.FIRST_EVENT + 501],
    "order": ["most"],
}
# They name nothing that is anybody's: tried alone, and in no pairs.
NAMELESS = {
    "timeZone",
    "limit",
    "month",
    "language",
    "csvForm",
    "severity",
    "minOverKmh",
    "includeTotal",
    "order",
    "isInfraction",
}
BODIES = {"classifyEventType": {"isInfraction": False, "family": "tampered"}}


def operations(contract: Contract) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path template and description of each."""
    for path, methods in contract.document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def requests_for_b(method: str, path: str, operation: dict[str, Any]) -> Iterator[httpx.Request]:
    """Requests that use what is B's in each parameter: alone, in pairs, and with cursors of B's own lists."""
    names = {"path": [], "query": []}
    for parameter in operation["parameters"]:
        # What is needed is in each request, as what is in the path.
        names["path" if parameter["required"] else "query"].append(parameter["name"])
    body = BODIES.get(operation["operationId"])
    needed = tuple(one["name"] for one in operation["parameters"] if one["required"] and one["in"] == "query")
    others = [name for name in names["query"] if name not in needed]
    pairs = itertools.combinations([name for name in others if name not in NAMELESS], 2)
    chosen = [(*needed, *some) for some in ((), *((name,) for name in others), *pairs)]
    for query in chosen:
        if "cursor" in query:
            continue
        for values in itertools.product(*(OF_B[name] for name in (*names["path"], *query))):
            given = dict(zip((*names["path"], *query), map(str, values), strict=True))
            url = path
            for name in re.findall(r"\{(\w+)\}", path):
                url = url.replace("{" + name + "}", given.pop(name))
            yield httpx.Request(method, "http://api" + url, params=given, json=body)


def test_a_caller_of_one_organisation_gets_nothing_of_another(
    api: ApiProcess, contract: Contract, key_file: Any, fleet: Any
) -> None:
    of_b = token(key_file, str(ORGANISATION_B), f"{ORGANISATION_A}@integrate.uat.example:8443", role="admin")
    of_a = token(key_file, str(ORGANISATION_A), role="admin")
    before = fleet.execute("SELECT * FROM event_types WHERE organisation_id <> %s", fleet.organisations["a"])
    mine = fleet.execute("SELECT * FROM event_types WHERE organisation_id = %s", fleet.organisations["a"])
    seen_of_a = seen_of_b = 0
    with httpx.Client(base_url=api.url) as http:
        for method, path, operation in operations(contract):
            found = list(requests_for_b(method, path, operation))
            assert found, path
            for asked in found:
                url = asked.url.raw_path.decode()
                answer = http.request(
                    method, url, content=asked.content, headers={"Authorization": f"Bearer {of_a}"} | _type(asked)
                )
                assert answer.status_code < 500, f"{method} {url}"
                answered = answer.text.replace(json.dumps(asked.url.params.get("search"))[1:-1] or "\0", "")
                if answer.status_code < 400:
                    assert MARK_B not in answered, f"{method} {url}"
                    assert str(ORGANISATION_B) not in answered
                    assert "uat" not in answered
                    seen_of_a += MARK_A in answered
                if method == "GET":
                    own = http.get(url, headers={"Authorization": f"Bearer {of_b}"})
                    seen_of_b += MARK_B in own.text
                    cursor = own.json().get("nextCursor") if own.status_code == 200 else None
                    if cursor is not None:
                        again = http.get(
                            asked.url.copy_merge_params({"cursor": cursor}).raw_path.decode(),
                            headers={"Authorization": f"Bearer {of_a}"},
                        )
                        assert again.status_code in (200, 400, 404, 409)
                        assert MARK_B not in again.text or again.status_code >= 400
    # The marks can be seen at all, by those who may.
    assert seen_of_a > 10
    assert seen_of_b > 10
    assert fleet.execute("SELECT * FROM event_types WHERE organisation_id <> %s", fleet.organisations["a"]) == before
    assert fleet.execute("SELECT * FROM event_types WHERE organisation_id = %s", fleet.organisations["a"]) != mine


@pytest.fixture(scope="module")
def fleet(postgres_server: Server) -> Iterator[Fleet]:
    """A database of this module's own: admins classify and erase here."""
    with planted(postgres_server) as found:
        yield found


@pytest.fixture(scope="module")
def api(fleet: Fleet, key_file: Any) -> Iterator[ApiProcess]:
    """A process that keeps answers, as it does by default."""
    with running(database_url=fleet.url, jwt_key_file=str(key_file)) as process:
        yield process


def _type(asked: httpx.Request) -> dict[str, str]:
    return {"Content-Type": asked.headers["content-type"]} if "content-type" in asked.headers else {}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x.y.z", "Basic YTpi"], ids=str)
def test_no_route_answers_without_a_token(api: ApiProcess, contract: Contract, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path, operation in operations(contract):
        for asked in itertools.islice(requests_for_b(method, path, operation), 3):
            answer = httpx.request(method, api.url + asked.url.raw_path.decode(), headers=headers)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["www-authenticate"].startswith('Bearer realm="mixhaul"')
            assert MARK_A not in answer.text
            assert MARK_B not in answer.text


@pytest.mark.parametrize("role", ["reader", "analyst", "auditor"])
def test_only_admins_change_anything(api: ApiProcess, contract: Contract, key_file: Any, fleet: Any, role: str) -> None:
    before = fleet.execute("SELECT * FROM event_types ORDER BY 1, 2")
    bearer = token(key_file, str(ORGANISATION_A), str(ORGANISATION_B), role=role)
    changing = [one for one in operations(contract) if one[0] != "GET"]
    assert changing
    for method, path, operation in changing:
        for asked in requests_for_b(method, path, operation):
            answer = httpx.request(
                method,
                api.url + asked.url.raw_path.decode(),
                content=asked.content,
                headers={"Authorization": f"Bearer {bearer}"} | _type(asked),
            )
            assert answer.status_code == 403
    assert fleet.execute("SELECT * FROM event_types ORDER BY 1, 2") == before


def described() -> Any:
    """What schemathesis works from: the document, with ids that exist among those that it invents."""
    found = openapi.document()
    for methods in found["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    parameter["schema"]["examples"] = [str(one) for one in OF_B[parameter["name"]]]
    # 413, 414 and 431 refuse bad data too.
    refusals = ["400", "401", "403", "404", "405", "409", "413", "414", "415", "431"]
    configured = {"checks": {"negative_data_rejection": {"expected-statuses": refusals}}}
    return schemathesis.openapi.from_dict(found, config=schemathesis.Config.from_dict(configured))


def surprised(case: Case, api: ApiProcess, key_file: Any, *, role: str) -> None:
    """Send a case and fail at any 5xx and at any answer that the document does not have."""
    bearer = token(key_file, str(ORGANISATION_A), role=role)
    case.call_and_validate(
        base_url=api.url,
        headers={"Authorization": f"Bearer {bearer}"},
        # Whether a cursor, a range or a number of 64 bits is right can't be said by a schema.
        excluded_checks=[positive_data_acceptance],
    )


schema = described()
bounded = settings(
    max_examples=15, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


turns = itertools.cycle(("admin", "reader", "auditor", "analyst"))


@schema.parametrize()
@bounded
def test_nothing_that_schemathesis_sends_surprises(case: Case, api: ApiProcess, key_file: Any) -> None:
    """Each role in its turn."""
    surprised(case, api, key_file, role=next(turns))


def test_no_order_of_requests_surprises(api: ApiProcess, key_file: Any) -> None:
    """What one answer says goes into the next request: ids, cursors, what was just changed or erased."""

    class Requests(schema.as_state_machine()):  # type: ignore[misc]
        def validate_response(self, response: Any, case: Case, **rest: Any) -> None:
            case.validate_response(response, excluded_checks=[positive_data_acceptance])

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            bearer = token(key_file, str(ORGANISATION_A), role=next(turns))
            return {"base_url": api.url, "headers": {"Authorization": f"Bearer {bearer}"}}

    run_state_machine_as_test(
        Requests,
        settings=settings(
            max_examples=6,
            stateful_step_count=8,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_document_of_the_server_is_the_one_that_the_tests_use(api: ApiProcess, contract: Contract) -> None:
    assert httpx.get(f"{api.url}/openapi.json").json() == json.loads(json.dumps(contract.document))
