"""The Sanic application: routes, the OpenAPI document, the page that shows it."""

from __future__ import annotations

import re
from itertools import count
from typing import Any, Final

import orjson
from sanic import Sanic
from sanic.config import Config

from mixhaul_api import docs_page, openapi
from mixhaul_api.call import Services
from mixhaul_api.docs_page import Asset
from mixhaul_api.routes import ROUTES
from mixhaul_api.web import ApiRequest, Errors, constant, handler_of

_numbers = count(1)
_SETTINGS: Final[dict[str, Any]] = {
    "ACCESS_LOG": False,
    "FALLBACK_ERROR_FORMAT": "json",
    # Longer than the 60 s after which the usual ingress closes an idle connection, so that we never do it first.
    "KEEP_ALIVE_TIMEOUT": 75,
    "MOTD": False,
    "REQUEST_MAX_HEADER_SIZE": 16 * 1024,
    "REQUEST_MAX_SIZE": 64 * 1024,
    "REQUEST_TIMEOUT": 15,
    "RESPONSE_TIMEOUT": 30,
}

App = Sanic[Config, Any]


def create_app(services: Services) -> App:
    """An application for one server."""
    app: App = Sanic(
        f"mixhaul-api-{next(_numbers)}",
        config=Config(_SETTINGS, env_prefix=None),
        configure_logging=False,
        error_handler=Errors(services),
        request_class=ApiRequest,
        strict_slashes=True,
    )
    for route in ROUTES:
        path = re.sub(r"\{(\w+)\}", r"<\1:str>", route.path)
        methods = ["GET", "HEAD"] if route.method == "GET" else [route.method]
        app.add_route(handler_of(route, services), path, methods=methods, name=route.operation)
    _add_page(app, services)
    return app


def _add_page(app: App, services: Services) -> None:
    def add(path: str, asset: Asset, *, route: str, name: str) -> None:
        app.add_route(constant(asset, services, route=route), path, methods=["GET", "HEAD"], name=name)

    described = Asset("application/json", orjson.dumps(openapi.document()))
    add("/openapi.json", described, route="/openapi.json", name="openapi")
    add("/docs", docs_page.page(), route="/docs", name="docs")
    for name, asset in docs_page.assets().items():
        add(f"/docs/{name}", asset, route="/docs/{file}", name="docs_" + re.sub(r"\W", "_", name))
