"""promtool accepts what the admin server says, and the helper that asks it can say no."""

from __future__ import annotations

import asyncio
import urllib.request

import pytest

from mixhaul_runtime import metrics
from mixhaul_runtime.admin import AdminServer
from support.promtool import check_metrics


async def test_promtool_accepts_the_admin_servers_metrics() -> None:
    metrics.set_build_info("test")
    async with AdminServer(0, ready=lambda: None, live=lambda: None) as server:

        def scrape() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
                body: bytes = answer.read()
            return body.decode()

        await asyncio.to_thread(lambda: check_metrics(scrape()))


@pytest.mark.parametrize("wrong", ["mixhaul_x{ 1\n", "# TYPE mixhaul_things counter\nmixhaul_things 1\n"])
def test_what_promtool_refuses_is_a_failure(wrong: str) -> None:
    with pytest.raises(AssertionError):
        check_metrics(wrong)
