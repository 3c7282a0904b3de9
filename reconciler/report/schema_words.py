"""The words of which the schemas of our outputs are made (JSON Schema, draft 7)."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

API: Final[Schema] = {"apiVersion": {"const": "certwright/v1"}}
TEXT: Final[Schema] = {"type": "string"}
TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
DIGEST: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
DIGEST_OR_NULL: Final[Schema] = {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}
BOOL: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65535}
WORD: Final[Schema] = {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$", "description": "One CamelCase word."}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}


def list_of(items: Schema) -> Schema:
    """Give a list of these."""
    return {"type": "array", "items": items}


def object_of(required: Schema, optional: Schema | None = None, *, null: bool = False) -> Schema:
    """Give an object with these fields; others may be added within `certwright/v1`."""
    return {
        "type": ["object", "null"] if null else "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }
