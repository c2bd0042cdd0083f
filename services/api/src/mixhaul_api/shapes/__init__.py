"""What the API answers: typed dictionaries, from which mypy checks the handlers and the OpenAPI document is written.

They describe, and cost nothing at run time; the tests compare real answers with them. `typing_extensions` because
pydantic reads its TypedDict on Python 3.11 too.
"""
