"""The JSON that others rely on, as JSON Schema (draft 7): `get sites`, `diff` and `apply`, `challenges`, `verify`."""

from __future__ import annotations

from typing import Any, Final

from reconciler.model.changes import Verb
from reconciler.model.findings import Check, Severity

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_DIGEST: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_DIGEST_OR_NULL: Final[Schema] = {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}
_BOOL: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65535}
_WORD: Final[Schema] = {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$", "description": "One CamelCase word."}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(required: Schema, optional: Schema | None = None, *, null: bool = False) -> Schema:
    """Give an object with these fields; others may be added within `certwright/v1`."""
    return {
        "type": ["object", "null"] if null else "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


_PROVEN: Final[Schema] = {"type": "object", "additionalProperties": _object({"method": _TEXT, "type": _TEXT})}
_HOLD: Final[Schema] = {"reason": _WORD, "until": _TIME_OR_NULL, "endsWhen": _TEXT_OR_NULL, "message": _TEXT}
_SITE_HOLD: Final[Schema] = {"target": _TEXT_OR_NULL, **_HOLD}
_CONDITION: Final[Schema] = _object({
    "type": {"enum": ["Issued", "Installed", "Served", "Covered", "Ready", "Stalled", "Moved"]},
    "status": {"enum": ["True", "False", "Unknown"]},
    "reason": _WORD,
    "message": _TEXT,
    "lastTransitionTime": _TIME,
})  # fmt: skip
_CERTIFICATE: Final[Schema] = _object(
    {
        "revision": _TEXT,
        "serial": _TEXT,
        "fingerprint": _DIGEST,
        "notBefore": _TIME,
        "notAfter": _TIME,
        "hostnames": _list(_TEXT),
        "keyType": _TEXT,
        "issuer": _TEXT,
        "profile": _TEXT_OR_NULL,
        "account": _TEXT_OR_NULL,
        "challenges": _PROVEN,
        "placeholder": _BOOL,
    },
    null=True,
)
_LAST_FAILURE: Final[Schema] = _object(
    {
        "at": _TIME,
        "reason": _WORD,
        "hostname": _TEXT_OR_NULL,
        "method": _TEXT_OR_NULL,
        "type": _TEXT_OR_NULL,
        "detail": _TEXT,
        "url": _TEXT_OR_NULL,
    },
    null=True,
)
_SERVED: Final[Schema] = _list(_object({"port": _PORT, "fingerprint": _DIGEST_OR_NULL}))
_STATUS: Final[Schema] = _object({
    "specDigest": _DIGEST,
    "observedSpecDigest": _DIGEST_OR_NULL,
    "conditions": _list(_CONDITION),
    "certificate": _CERTIFICATE,
    "renewal": _object({"at": _TIME, "reason": _WORD}, null=True),
    "targets": _list(_object({"name": _TEXT, "installed": _BOOL, "served": _SERVED})),
    "holds": _list(_object(_SITE_HOLD)),
    "failures": _object({"count": _COUNT, "nextAttempt": _TIME_OR_NULL, "last": _LAST_FAILURE}),
    "missingHostnames": _list(_TEXT),
    "handled": _object({"renewAt": _TEXT_OR_NULL, "retryAt": _TEXT_OR_NULL}),
})  # fmt: skip
_SITE: Final[Schema] = _object({
    "apiVersion": {"const": "certwright/v1"},
    "kind": {"const": "Site"},
    "metadata": _object({"name": _TEXT, "labels": _TEXTS, "annotations": _TEXTS}),
    "spec": {"type": "object"},
    "status": _STATUS,
})  # fmt: skip
_FILE: Final[Schema] = _object(
    {"path": _TEXT, "change": {"enum": ["create", "update", "restore", "adopt", "remove"]}},
    {"rights": _TEXT, "diff": _TEXT},
)
_OUTCOME: Final[Schema] = _object(
    {
        "status": {"enum": ["done", "skipped", "failed", "waiting"]},
        "reason": _TEXT,
        "message": _TEXT,
        "again": _TIME_OR_NULL,
        "revision": _TEXT_OR_NULL,
    },
    null=True,
)
_VERBS: Final = [verb.value for verb in Verb]
_CHANGE: Final[Schema] = _object(
    {
        "id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "after": _list(_TEXT),
        "verb": {"enum": _VERBS},
        "reason": _WORD,
        "message": _TEXT,
    },
    {
        "site": _TEXT,
        "target": _TEXT,
        "issuer": _TEXT,
        "revision": _TEXT,
        "hostnames": _object({"added": _list(_TEXT), "removed": _list(_TEXT)}),
        "challenges": _PROVEN,
        "cost": _object({"newOrders": _COUNT}),
        "files": _list(_FILE),
        "outcome": _OUTCOME,
    },
)
_PROBLEM: Final[Schema] = _object({"file": _TEXT, "line": _COUNT, "column": _COUNT, "message": _TEXT})
_HANDSHAKE: Final[Schema] = _object({
    "site": _TEXT_OR_NULL,
    "target": _TEXT_OR_NULL,
    "address": _TEXT,
    "port": _PORT,
    "starttls": _TEXT_OR_NULL,
    "sni": _TEXT_OR_NULL,
    "ok": _BOOL,
    "reason": _WORD,
    "message": _TEXT,
    "next": _TEXT_OR_NULL,
    "expected": _DIGEST_OR_NULL,
    "fingerprint": _DIGEST_OR_NULL,
    "servedRevisionOf": _TEXT_OR_NULL,
    "hostnames": _list(_TEXT),
    "notBefore": _TIME_OR_NULL,
    "notAfter": _TIME_OR_NULL,
    "issuer": _TEXT_OR_NULL,
    "chainOk": _BOOL,
})  # fmt: skip


_CHALLENGE: Final[Schema] = _object({
    "hostname": _TEXT,
    "status": _TEXT,
    "type": _TEXT,
    "method": _TEXT_OR_NULL,
    "url": _TEXT,
    "token": _TEXT_OR_NULL,
    "payload": _TEXT_OR_NULL,
    "expires": _TIME_OR_NULL,
    "dns": _object({"name": _TEXT, "type": {"const": "TXT"}, "value": _TEXT, "ttl": _COUNT}, null=True),
    "http": _object({"url": _TEXT, "body": _TEXT}, null=True),
})  # fmt: skip

_REMOVABLE: Final[Schema] = _list(
    _object({name: _CHALLENGE["properties"][name] for name in ("hostname", "type", "dns", "http")})
)
_ERROR: Final[Schema] = _object(
    {"reason": _WORD, "message": _TEXT, "method": _TEXT_OR_NULL, "type": _TEXT_OR_NULL, "url": _TEXT_OR_NULL}, null=True
)
_NAME: Final[Schema] = _object({"hostname": _TEXT, "status": _TEXT_OR_NULL, "error": _ERROR})
_FINDING: Final[Schema] = _object({
    "check": {"enum": [check.value for check in Check]},
    "severity": {"enum": [severity.value for severity in Severity]},
    "site": _TEXT_OR_NULL,
    "subject": _TEXT,
    "seen": _TEXT,
    "expected": _TEXT,
    "next": _TEXT,
})  # fmt: skip


def output_schemas() -> dict[str, Schema]:
    """Give each output's schema by its file name."""
    api = {"apiVersion": {"const": "certwright/v1"}}
    plan_hold = _object({"site": _TEXT_OR_NULL, "target": _TEXT_OR_NULL, **_HOLD, "failed": _BOOL})
    return {
        "challengelist.json": _object(
            {
                **api,
                "kind": {"const": "ChallengeList"},
                "site": _TEXT,
                "order": _TEXT_OR_NULL,
                "expires": _TIME_OR_NULL,
                "ok": _BOOL,
                "names": _list(_NAME),
                "error": _ERROR,
                "next": _TEXT_OR_NULL,
                "items": _list(_CHALLENGE),
                "removable": _REMOVABLE,
            }
        ),
        "list.json": _object({**api, "kind": {"const": "List"}, "items": _list(_SITE)}),
        "plan.json": _object(
            {
                **api,
                "kind": {"const": "Plan"},
                "digest": _DIGEST,
                "changes": _list(_CHANGE),
                "holds": _list(plan_hold),
                "errors": _list(_PROBLEM),
            },
            {"removable": _REMOVABLE},
        ),
        "preflightreport.json": _object(
            {
                **api,
                "kind": {"const": "PreflightReport"},
                "ok": _BOOL,
                "sites": _list(_TEXT),
                "items": _list(_FINDING),
                "notes": _list(_TEXT),
            }
        ),
        "verifyreport.json": _object(
            {**api, "kind": {"const": "VerifyReport"}, "ok": _BOOL, "items": _list(_HANDSHAKE)}
        ),
    }
