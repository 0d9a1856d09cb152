"""The OpenAPI document: made of the handlers and of the records, once."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Reference, Schema, SecurityScheme, Tag
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

from agentstore import models
from agentstore.integrations.problems import Problem
from agentstore.models.record import Record
from agentstore.version import __version__
from agentstore.web.api import parameters
from agentstore.web.api.marks import PinNote
from agentstore.web.api.routes import API, HANDLERS
from agentstore.web.api.sessions import ToolCallPage
from agentstore.web.handling import DEPENDENCIES

_REFERENCE = "#/components/schemas/{name}"
_TAGS = {
    "history": "What is found across sessions, and whose they are.",
    "marks": "Stars, pins and hiding.",
    "sessions": "Sessions, and what is in them.",
    "statistics": "What it all comes to.",
}
_ABOUT = """\
The history of coding agents, as the library has it: the same records by the same names, times in UTC.

Errors are `application/problem+json` (RFC 9457) with the `field` that was refused and a `hint`. Pages are walked by
`next_cursor`, given back as `cursor`. An id goes into a path with `/` as `%2F` and `%` as `%25`.
"""


class RecordSchemas(OpenAPISchemaPlugin):
    """Names the schemas of records in the document, which ``_records`` puts there."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Called by Litestar."""
        return not field_definition.is_union and field_definition.is_subclass_of(msgspec.Struct)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Any:
        """Called by Litestar."""
        return Schema(all_of=[Reference(_REFERENCE.format(name=field_definition.type_.__name__))])


def document(cookie: str) -> dict[str, Any]:
    """The whole of it. ``cookie`` is the name of the one that a login gives."""
    told = _document()
    schemes = {**told["components"]["securitySchemes"], "login": {"type": "apiKey", "in": "cookie", "name": cookie}}
    return {**told, "components": {**told["components"], "securitySchemes": schemes}}


@cache
def _document() -> dict[str, Any]:
    # An application of its own, never run: the pages are no part of it, and nothing about it is loaded from elsewhere.
    app = Litestar(
        [Router(API, route_handlers=[*HANDLERS], dependencies=parameters.DEPENDENCIES)],
        dependencies=DEPENDENCIES,
        openapi_config=_config(),
        plugins=[RecordSchemas()],
        logging_config=None,
    )
    told: dict[str, Any] = _plain(app.openapi_schema.to_schema())
    told["components"]["schemas"] = _named_by(told["paths"], _records())
    for path in told["paths"].values():
        for operation in path.values():
            operation["summary"], _, rest = operation.pop("description").partition("\n")
            if rest.strip():
                operation["description"] = rest.strip()
    return told


class Name(NamedTuple):
    """What an address may say after "?"."""

    is_list: bool
    is_required: bool


@cache
def names_of(path: str, method: str) -> dict[str, Name]:
    """The query parameters of an operation."""
    operation = _document()["paths"].get(path, {}).get(method.lower(), {})
    return {
        one["name"]: Name("array" in str(one["schema"]), one["required"])
        for one in operation.get("parameters", ())
        if one["in"] == "query"
    }


def _named_by(told: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Those of the schemas that this refers to, and what these refer to."""
    found: dict[str, Any] = {}
    waiting = [told]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)} if (name := reference.rpartition("/")[2]) not in found:
                found[name] = schemas[name]
                waiting.append(schemas[name])
            case dict(one):
                waiting.extend(one.values())
            case list(several):
                waiting.extend(several)
    return dict(sorted(found.items()))


def _plain(told: Any) -> Any:
    """The same with a reference in place of all of one: Litestar takes schemas from others, and no references."""
    if isinstance(told, dict):
        if list(told) == ["allOf"] and len(told["allOf"]) == 1:
            return told["allOf"][0]
        return {name: _plain(one) for name, one in told.items()}
    return [_plain(one) for one in told] if isinstance(told, list) else told


def _config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="agentstore",
        version=__version__,
        description=_ABOUT,
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, method, path: handler.fn.__name__,
        render_plugins=[JsonRenderPlugin()],
        components=Components(
            security_schemes={
                "token": SecurityScheme(type="http", scheme="bearer", description="The token of `--token-file`.")
            }
        ),
        security=[{"token": []}, {"login": []}],
        tags=[Tag(name, description) for name, description in _TAGS.items()],
    )


def _records() -> dict[str, Any]:
    """The records' own schemas, which know their defaults and what they are for."""
    own = [one for one in vars(models).values() if isinstance(one, type) and issubclass(one, Record)]
    _, schemas = msgspec.json.schema_components([*own, ToolCallPage, PinNote, Problem], ref_template=_REFERENCE)
    for name, schema in schemas.items():
        if name not in ("PinNote", "Problem"):  # all fields are always there, those with a default too
            schema["required"] = list(schema["properties"])
    return schemas
