"""The metric that every program exports; all others are declared beside the code that moves them.

Importing this module turns off the `_created` series of prometheus_client for the process: they double the number of
series and no rule of ours reads them.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import REGISTRY, Gauge, disable_created_metrics
from prometheus_client.exposition import choose_encoder

disable_created_metrics()  # type: ignore[no-untyped-call]

BUILD_INFO = Gauge("mixhaul_build_info", "Which program this is and its version; always 1.", ["component", "version"])


def package_version() -> str:
    """The version of this release; `0` where the package's metadata is not installed (a bare source tree)."""
    try:
        return version("mixhaul-runtime")
    except PackageNotFoundError:
        return "0"


def set_build_info(component: str) -> None:
    """Export `mixhaul_build_info` for this process."""
    BUILD_INFO.clear()
    BUILD_INFO.labels(component=component, version=package_version()).set(1)


def exposition(accept: str) -> tuple[bytes, str]:
    """The body and content type of `/metrics`, in the format that the scraper's `Accept` asks for."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type
