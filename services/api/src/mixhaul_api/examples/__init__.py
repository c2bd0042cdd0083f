"""Examples for the OpenAPI document; mypy and a test hold them to the shapes. No real person or vehicle."""
