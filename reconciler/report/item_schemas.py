"""The items of `get` and what `describe` and `wait` tell of one, as JSON Schema (draft 7), by their `kind`."""

from __future__ import annotations

from typing import Final

from reconciler.report.schema_words import (
    API,
    BOOL,
    COUNT,
    DIGEST,
    DIGEST_OR_NULL,
    PORT,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TIME,
    TIME_OR_NULL,
    WORD,
    Schema,
    list_of,
    object_of,
)

PROVEN: Final[Schema] = {"type": "object", "additionalProperties": object_of({"method": TEXT, "type": TEXT})}
_HOLD: Final[Schema] = {
    "target": TEXT_OR_NULL,
    "reason": WORD,
    "until": TIME_OR_NULL,
    "endsWhen": TEXT_OR_NULL,
    "message": TEXT,
    "failed": BOOL,
}
_CONDITION: Final[Schema] = object_of({
    "type": {"enum": ["Issued", "Installed", "Served", "Covered", "Ready", "Stalled", "Moved"]},
    "status": {"enum": ["True", "False", "Unknown"]},
    "reason": WORD,
    "message": TEXT,
    "lastTransitionTime": TIME,
})  # fmt: skip
_CERTIFICATE: Final[Schema] = object_of(
    {
        "revision": TEXT,
        "serial": TEXT,
        "fingerprint": DIGEST,
        "notBefore": TIME,
        "notAfter": TIME,
        "hostnames": list_of(TEXT),
        "keyType": TEXT,
        "issuer": TEXT,
        "profile": TEXT_OR_NULL,
        "account": TEXT_OR_NULL,
        "challenges": PROVEN,
        "placeholder": BOOL,
    },
    null=True,
)
_LAST_FAILURE: Final[Schema] = object_of(
    {
        "at": TIME,
        "reason": WORD,
        "hostname": TEXT_OR_NULL,
        "method": TEXT_OR_NULL,
        "type": TEXT_OR_NULL,
        "detail": TEXT,
        "url": TEXT_OR_NULL,
    },
    null=True,
)
_SERVED: Final[Schema] = list_of(object_of({"port": PORT, "fingerprint": DIGEST_OR_NULL}))
_STATUS: Final[Schema] = object_of({
    "specDigest": DIGEST,
    "observedSpecDigest": DIGEST_OR_NULL,
    "conditions": list_of(_CONDITION),
    "certificate": _CERTIFICATE,
    "renewal": object_of({"at": TIME, "reason": WORD}, null=True),
    "targets": list_of(object_of({"name": TEXT, "installed": BOOL, "served": _SERVED})),
    "holds": list_of(object_of(_HOLD)),
    "failures": object_of({"count": COUNT, "nextAttempt": TIME_OR_NULL, "last": _LAST_FAILURE}),
    "missingHostnames": list_of(TEXT),
    "handled": object_of({"renewAt": TEXT_OR_NULL, "retryAt": TEXT_OR_NULL}),
})  # fmt: skip
_METADATA: Final[Schema] = object_of({"name": TEXT, "labels": TEXTS, "annotations": TEXTS})
_SPEC: Final[Schema] = {"type": "object"}
_EVENT: Final[Schema] = {"reason": WORD, "message": TEXT, "at": TIME_OR_NULL}
_OF_SITE: Final[Schema] = {
    "origins": TEXTS,
    "events": list_of(object_of(_EVENT)),
    "keysOfOthers": list_of(object_of({"path": TEXT, "uid": COUNT})),
}
"""What `describe site` adds."""
_OF_OBJECT: Final[Schema] = {"effective": _SPEC, "usedBy": list_of(TEXT), "paste": list_of(TEXT)}
"""What `get` and `describe` add to an object as it is written."""
_OBJECTS: Final = ("Issuer", "Target", "ChallengeMethod", "HostnameSet", "Server")


def site_schema(*, seen: bool) -> Schema:
    """Give that of a site; one that no pass has looked at has no spec and no status, where it may be `seen=False`."""
    told = {"spec": _SPEC, "status": _STATUS}
    head = {**API, "kind": {"const": "Site"}, "metadata": _METADATA}
    return object_of({**head, **told}, _OF_SITE) if seen else object_of(head, {**told, **_OF_SITE})


def hold_schema() -> Schema:
    """Give that of a hold of any subject."""
    return object_of({"site": TEXT_OR_NULL, **_HOLD}, {"count": COUNT})


def by_kind(kinds: Schema) -> Schema:
    """Choose by `kind`, so that who checks an item is told of one kind's fields, not of all kinds at once."""
    branches = [
        {"if": {"required": ["kind"], "properties": {"kind": {"const": kind}}}, "then": one}
        for kind, one in kinds.items()
    ]
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": list(kinds)}}, "allOf": branches}


def item_schemas(*, seen: bool) -> Schema:
    """Give each kind's schema by the kind; `seen` as in `site_schema`."""
    account = {"name": TEXT, "directory": TEXT, "url": TEXT_OR_NULL, "contact": list_of(TEXT)}
    event = {"site": TEXT_OR_NULL, **_EVENT, "first": TIME_OR_NULL, "count": COUNT}
    plain = {"Account": object_of(account), "Hold": hold_schema(), "Event": object_of(event)}
    written = {"metadata": _METADATA, "spec": _SPEC, "source": TEXT}
    return {
        "Site": site_schema(seen=seen),
        **{kind: object_of({**API, "kind": {"const": kind}, **written}, _OF_OBJECT) for kind in _OBJECTS},
        **{kind: _with_head(kind, one) for kind, one in plain.items()},
    }


def _with_head(kind: str, schema: Schema) -> Schema:
    head = {**API, "kind": {"const": kind}}
    return {**schema, "required": [*head, *schema["required"]], "properties": {**head, **schema["properties"]}}
