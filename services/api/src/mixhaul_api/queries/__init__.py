"""The API's SQL: one module a subject, each function one statement. Every statement names the organisations."""
