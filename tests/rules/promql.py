"""Which metrics a PromQL expression reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser

SUFFIXES = ("_bucket", "_count", "_sum")


def metrics_of(expr: str) -> set[str]:
    """Names of the metrics, a histogram's without its suffix. Fails where the expression is none."""
    tree: Any = promql_parser.parse(expr.replace("$__rate_interval", "5m"))
    return {_base(name) for name in _names(tree)}


def _base(name: str) -> str:
    for suffix in SUFFIXES:
        if name.startswith("mixhaul_") and name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name or ""
        return
    if isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector.name or ""
        return
    for child in ("expr", "lhs", "rhs", "param", "args"):
        value = getattr(node, child, None)
        for each in value if isinstance(value, list | tuple) else (value,):
            if each is not None and not isinstance(each, str | float | int):
                yield from _names(each)
