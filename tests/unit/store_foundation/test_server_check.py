"""Which servers will do."""

from __future__ import annotations

import pytest

from mixhaul_store.errors import (
    DatabaseReadOnly,
    MissingExtension,
    StoreError,
    UnsupportedEncoding,
    UnsupportedServer,
)
from mixhaul_store.server_check import Facts, objection


@pytest.mark.parametrize(
    ("facts", "writable", "kind"),
    [
        pytest.param(Facts(150000, "15.0", "UTF8", False, []), True, None, id="the oldest"),
        pytest.param(Facts(180003, "18.3", "UTF8", True, []), False, None, id="a replica, for reading"),
        pytest.param(Facts(140099, "14.99", "UTF8", False, []), True, UnsupportedServer, id="too old"),
        pytest.param(Facts(180003, "18.3", "LATIN1", False, []), True, UnsupportedEncoding, id="latin 1"),
        pytest.param(Facts(180003, "18.3", "UTF8", False, ["unaccent"]), True, MissingExtension, id="no unaccent"),
        pytest.param(Facts(180003, "18.3", "UTF8", True, []), True, DatabaseReadOnly, id="read-only"),
    ],
)
def test_objections(facts: Facts, kind: type[StoreError] | None, *, writable: bool) -> None:
    found = objection(facts, where="h:1/d", writable=writable)
    assert (found is None) if kind is None else (type(found) is kind and "h:1/d" in str(found))
