"""The manifest language as JSON Schema: what editors and `certwright schema` show.

Enters: the shapes of `manifests.kinds`, and of what `report` gives. Leaves: JSON Schema values (draft 7) and their one
text. It must not read a manifest or write a file; `python -m tools.make_schemas` writes the committed copies.
"""

from __future__ import annotations

import json
from typing import Any, Final

from reconciler.manifests.kinds.registry import API_VERSION, KINDS, SUMMARIES
from reconciler.manifests.kinds.shapes import kind_schema
from reconciler.report.output_schemas import output_schemas

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_ALL: Final = "manifest.json"


def schemas() -> dict[str, dict[str, Any]]:
    """Give every schema by its file name: `manifest.json` for a document of any kind, and one a kind."""
    made = {f"{kind.lower()}.json": _titled(f"certwright {kind}", kind_schema(kind)) for kind in KINDS}
    return {_ALL: _manifest_schema(), **made}


def all_schemas() -> dict[str, dict[str, Any]]:
    """Give those, and one for each output that others may rely on, such as `list.json` and `plan.json`."""
    outputs = output_schemas().items()
    return {
        **schemas(),
        **{name: _titled(f"certwright output, {name.removesuffix('.json')}", one) for name, one in outputs},
    }


def schema_text(schema: dict[str, Any]) -> str:
    """Write a schema as text, always the same for the same schema."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _titled(title: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": DRAFT, "title": title, **schema}


def _manifest_schema() -> dict[str, Any]:
    """Choose by `kind`, so that an editor complains about one kind's fields, not about all kinds at once."""
    branches = [
        {
            "if": {"required": ["kind"], "properties": {"kind": {"const": kind}}},
            "then": {"$ref": f"#/definitions/{kind}"},
        }
        for kind in KINDS
    ]
    meanings = " ".join(f"{kind}: {text}" for kind, text in SUMMARIES.items())
    return {
        "$schema": DRAFT,
        "title": "certwright manifest",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of the manifest language."},
            "kind": {"enum": list(KINDS), "description": meanings},
        },
        "allOf": branches,
        "definitions": {kind: kind_schema(kind) for kind in KINDS},
    }
