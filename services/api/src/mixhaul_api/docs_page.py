"""The page that shows the OpenAPI document: Swagger UI from a package, so it works without the internet.

Nothing is loaded from elsewhere, and the content security policy sees to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FOLDER: Final = "flask_swagger_ui/dist"
_FROM_PACKAGE: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Mixhaul API</title>
  <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
  <link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
  <div id="page"></div>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/start.js"></script>
</body>
</html>
"""
_START: Final = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page."""

    content_type: str
    body: bytes


def page() -> Asset:
    """The page itself."""
    return Asset("text/html; charset=utf-8", _PAGE.encode())


def assets() -> dict[str, Asset]:
    """What the page loads, by name. The package is located and never imported: its code needs Flask."""
    package = distribution("flask-swagger-ui")
    found = {
        name: Asset(content_type, Path(str(package.locate_file(f"{_FOLDER}/{name}"))).read_bytes())
        for name, content_type in _FROM_PACKAGE.items()
    }
    found["start.js"] = Asset("text/javascript; charset=utf-8", _START.encode())
    return found
