"""Parameters and bodies of all routes: one pydantic model each, which both parses requests and writes the OpenAPI.

Unknown parameters are refused, since a filter with a typing error must not look like an answer without that filter.
"""
