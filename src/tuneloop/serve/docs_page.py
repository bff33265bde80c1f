"""The OpenAPI document as a page that loads nothing from anywhere."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import code_block, page, paragraph, section, table


def docs_page(openapi: dict[str, Any]) -> str:
    """HTML with every route, what it takes and what it answers."""
    schemas = openapi.get("components", {}).get("schemas", {})
    intro = paragraph(t("Every route of this server. Machines read the same in /openapi.json."), "lead")
    routes = [
        _route(method.upper(), path, operation, schemas)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return page(f"{openapi['info']['title']} HTTP API", [intro, *routes])


def _route(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Markup:
    parts = [paragraph(operation.get("description", ""))]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        parts += [paragraph(t("Body")), _fields(body, schemas)]
        parts += [code_block(_curl(method, path, example)) for example in body.get("examples", [])]
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if status == "200" and schema:
            parts += [paragraph(t("Answer")), _fields(schema, schemas)]
    statuses = [(status, response.get("description", "")) for status, response in operation["responses"].items()]
    parts.append(table([t("Status"), t("Meaning")], statuses))
    return section(f"{method} {path}: {operation.get('summary', '')}", *parts)


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> Markup:
    properties = _resolve(schema, schemas).get("properties", {})
    rows = [(name, _type(field, schemas), field.get("description", "")) for name, field in properties.items()]
    return table([t("Field"), t("Type"), t("Meaning")], rows)


def _type(field: dict[str, Any], schemas: dict[str, Any]) -> str:
    """A short name: string, array of PredictionOut, string or null."""
    if "anyOf" in field:
        return f" {t('or')} ".join(_type(each, schemas) for each in field["anyOf"])
    if "$ref" in field:
        return "{" + ", ".join(_resolve(field, schemas).get("properties", {})) + "}"
    if field.get("type") == "array":
        return t("array of {items}", items=_type(field.get("items", {}), schemas))
    if field.get("properties"):
        return "{" + ", ".join(field["properties"]) + "}"
    return str(field.get("type", "object"))


def _resolve(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    return dict(schemas[schema["$ref"].rpartition("/")[2]]) if "$ref" in schema else schema


def _curl(method: str, path: str, example: Any) -> str:
    body = json.dumps(example, ensure_ascii=False)
    return f"curl -X {method} http://127.0.0.1:8000{path} -H 'Content-Type: application/json' -d '{body}'"
