"""The OpenAPI document: complete, true to the models, with examples that fit."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_api import docs_page, openapi, parsing
from mixhaul_api.parameters.event_types import Classification
from mixhaul_api.problems import Problem
from mixhaul_api.routes import ROUTES, Route

DOCUMENT = openapi.document()
# Parameters of a query without which it makes no sense.
_REQUIRED = {
    "getDriverPerformanceReport": ["month"],
    "getDriverInfractionCounts": ["from", "to"],
    "getDriverRanking": ["from", "to"],
}


def operation(route: Route[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


def contents(found: Any) -> list[dict[str, Any]]:
    """Each media type in a part of the document."""
    if isinstance(found, list):
        return list(itertools.chain.from_iterable(map(contents, found)))
    if not isinstance(found, dict):
        return []
    here = list(found["content"].values()) if "content" in found else []
    return here + list(itertools.chain.from_iterable(map(contents, found.values())))


def test_it_is_openapi_3_1() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_every_example_fits_its_schema(route: Route[Any, Any]) -> None:
    checked = 0
    for media in contents(operation(route)):
        schema = {"components": DOCUMENT["components"], **media["schema"]}
        examples = [media["example"]] if "example" in media else [one["value"] for one in media["examples"].values()]
        for example in examples:
            jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(example)
            checked += 1
    assert checked >= 7


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_every_route_has_all_answers_and_every_parameter_a_description(route: Route[Any, Any]) -> None:
    found = operation(route)
    wanted = (
        {"200", "400", "401", "403", "414", "429", "431", "500", "503"}
        | {str(kind.status.value) for kind in route.own_problems}
        | ({"413", "415"} if route.has_body else set())
        | ({"406"} if route.media else set())
        | ({"304"} if route.watermarked else set())
    )
    assert set(found["responses"]) == wanted
    assert all(parameter["description"] for parameter in found["parameters"])
    assert {parameter["name"] for parameter in found["parameters"] if parameter["required"]} == {
        *(name for name in ("driverId", "eventTypeId", "vehicleId", "eventId") if "{" + name + "}" in route.path),
        *_REQUIRED.get(route.operation, ()),
    }
    for answer in found["responses"].values():
        assert "X-Request-ID" in answer["headers"]


def test_no_number_is_an_id() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        for name, member in schema.get("properties", {}).items():
            if name == "id" or name.endswith("Id"):
                assert "integer" not in str(member)


def test_the_description_for_people_has_every_route() -> None:
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    for route in ROUTES:
        assert f"| `{route.method} {route.path}` |" in text
        for parameter in operation(route)["parameters"]:
            assert f"`{parameter['name']}`" in text or "{" + parameter["name"] + "}" in text
    for kind in {kind.name: kind for route in ROUTES for kind in route.problems}.values():
        assert f"| `{kind.name}` | {kind.status.value} |" in text


def test_the_page_and_its_files_are_there() -> None:
    assets = docs_page.assets()
    assert set(assets) == {"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "start.js"}
    # What the page loads before a person clicks anything.
    assert b"SwaggerUIBundle" in assets["swagger-ui-bundle.js"].body
    assert b"@import" not in assets["swagger-ui.css"].body
    assert b"http" not in assets["start.js"].body


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=lambda one: one.operation)
@given(data=st.data())
def test_any_query_is_parsed_or_refused_as_a_problem(route: Route[Any, Any], data: Any) -> None:
    names = [parameter["name"] for parameter in operation(route)["parameters"] if parameter["in"] == "query"]
    alphabet = st.one_of(
        st.sampled_from([*names, "=", "&", "%", "%ff", "%00", "+", "2026-11-24", "1", "-1"]), st.text()
    )
    query = "".join(data.draw(st.lists(alphabet, max_size=12)))
    path = {parameter["name"]: "1" for parameter in operation(route)["parameters"] if parameter["in"] == "path"}
    try:
        parsing.parameters(route.parameters, path=path, query=query)
    except Problem as problem:
        assert problem.kind.status == 400
        assert len(problem.detail) < 4000


@given(st.binary(), st.sampled_from(["application/json", "application/json; charset=utf-8", "text/html", None]))
def test_a_body_of_rubbish_is_refused_as_a_problem(raw: bytes, content_type: str | None) -> None:
    with pytest.raises(Problem) as raised:
        parsing.body(Classification, content_type=content_type, raw=raw)
    assert raised.value.kind.status in (400, 415)
