"""Database URLs: what is accepted, what is refused, and that nothing secret gets into a message."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from mixhaul_store import urls
from mixhaul_store.errors import InvalidDatabaseUrl

PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=("Cs", "Cc")), min_size=1)


@given(PASSWORDS)
def test_any_password_works_when_it_is_percent_encoded(password: str) -> None:
    url = urls.checked(f"postgresql://someone:{quote(password, safe='')}@db.example:5433/fleet")
    assert conninfo_to_dict(url)["password"] == password
    assert urls.shown(url) == "db.example:5433/fleet"


@given(PASSWORDS, st.sampled_from(["/", "@"]), PASSWORDS)
def test_a_password_that_libpq_would_take_apart_is_refused_without_being_shown(one: str, mark: str, two: str) -> None:
    raw = f"{one.replace('?', '')}{mark}{two.replace('?', '')}s3cret"
    with pytest.raises(InvalidDatabaseUrl) as caught:
        urls.checked(f"postgresql://someone:{raw}@db.example/fleet")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("  ", "is empty", id="blank"),
        pytest.param("mysql://u:p@h/d", "does not begin with postgresql://", id="another database"),
        pytest.param("http://h/d", "does not begin with postgresql://", id="a web page"),
        pytest.param("postgresql://u:p@h:port/d", "a port that is no number", id="port in words"),
        pytest.param("postgresql://u:p@h:0/d", "a port that is no number", id="port zero"),
        pytest.param("postgresql://u:p@h:65536/d", "a port that is no number", id="port too large"),
        pytest.param("postgresql://u:p@h1:5432,h2:x/d", "a port that is no number", id="second port"),
        pytest.param("postgresql://u:p@h/d?nonsense=1", "can't be parsed", id="unknown parameter"),
        pytest.param("postgresql://u:100%@h/d", "can't be parsed", id="broken escape"),
        pytest.param("host db.example", "can't be parsed", id="keywords without ="),
    ],
)
def test_what_is_no_url_gets_one_sentence(url: str, problem: str) -> None:
    with pytest.raises(InvalidDatabaseUrl, match=problem) as caught:
        urls.checked(url)
    assert "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h/d", "h:5432/d"),
        ("postgres://u:p@h/d", "h:5432/d"),
        ("postgresql://u@/d?host=/run/pg", "/run/pg:5432/d"),
        ("postgresql://u:p@[::1]:5433/d", "::1:5433/d"),
        ("postgresql://u:p@h1:1,h2:2/d?target_session_attrs=read-write", "h1,h2:1,2/d"),
        ("host=h port=5434 dbname=d user=u password=p", "h:5434/d"),
        ("postgresql:///d", "local socket:5432/d"),
        ("postgresql://u@h/d?sslrootcert=/etc/c@rt.pem&sslmode=verify-full", "h:5432/d"),
    ],
)
def test_every_form_of_libpq_is_accepted_and_shown_without_its_secrets(url: str, shown: str) -> None:
    assert urls.shown(urls.checked(url)) == shown


def test_another_database_of_the_same_server() -> None:
    parts = conninfo_to_dict(urls.with_database("postgresql://u:p@h:5433/d", "other"))
    assert (parts["host"], parts["port"], parts["dbname"], parts["password"]) == ("h", "5433", "other", "p")
