"""The JSON that others rely on, as JSON Schema (draft 7): what each verb prints with `-o json`."""

from __future__ import annotations

from typing import Final

from reconciler.model.changes import Verb
from reconciler.model.findings import Check, Severity
from reconciler.report.item_schemas import PROVEN, by_kind, hold_schema, item_schemas, site_schema
from reconciler.report.schema_words import (
    API,
    BOOL,
    COUNT,
    DIGEST,
    DIGEST_OR_NULL,
    PORT,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    WORD,
    Schema,
    list_of,
    object_of,
)

_FILE: Final[Schema] = object_of(
    {"path": TEXT, "change": {"enum": ["create", "update", "restore", "adopt", "remove"]}},
    {"rights": TEXT, "diff": TEXT},
)
_OUTCOME: Final[Schema] = object_of(
    {
        "status": {"enum": ["done", "skipped", "failed", "waiting"]},
        "reason": TEXT,
        "message": TEXT,
        "again": TIME_OR_NULL,
        "revision": TEXT_OR_NULL,
    },
    null=True,
)
_VERBS: Final = [verb.value for verb in Verb]
_CHANGE: Final[Schema] = object_of(
    {
        "id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "after": list_of(TEXT),
        "verb": {"enum": _VERBS},
        "reason": WORD,
        "message": TEXT,
    },
    {
        "site": TEXT,
        "target": TEXT,
        "issuer": TEXT,
        "revision": TEXT,
        "hostnames": object_of({"added": list_of(TEXT), "removed": list_of(TEXT)}),
        "challenges": PROVEN,
        "cost": object_of({"newOrders": COUNT}),
        "files": list_of(_FILE),
        "outcome": _OUTCOME,
    },
)
_PROBLEM: Final[Schema] = object_of({"file": TEXT, "line": COUNT, "column": COUNT, "message": TEXT})
_HANDSHAKE: Final[Schema] = object_of({
    "site": TEXT_OR_NULL,
    "target": TEXT_OR_NULL,
    "address": TEXT,
    "port": PORT,
    "starttls": TEXT_OR_NULL,
    "sni": TEXT_OR_NULL,
    "ok": BOOL,
    "reason": WORD,
    "message": TEXT,
    "next": TEXT_OR_NULL,
    "expected": DIGEST_OR_NULL,
    "fingerprint": DIGEST_OR_NULL,
    "servedRevisionOf": TEXT_OR_NULL,
    "hostnames": list_of(TEXT),
    "notBefore": TIME_OR_NULL,
    "notAfter": TIME_OR_NULL,
    "issuer": TEXT_OR_NULL,
    "chainOk": BOOL,
})  # fmt: skip


_CHALLENGE: Final[Schema] = object_of({
    "hostname": TEXT,
    "status": TEXT,
    "type": TEXT,
    "method": TEXT_OR_NULL,
    "url": TEXT,
    "token": TEXT_OR_NULL,
    "payload": TEXT_OR_NULL,
    "expires": TIME_OR_NULL,
    "dns": object_of({"name": TEXT, "type": {"const": "TXT"}, "value": TEXT, "ttl": COUNT}, null=True),
    "http": object_of({"url": TEXT, "body": TEXT}, null=True),
})  # fmt: skip

_REMOVABLE: Final[Schema] = list_of(
    object_of({name: _CHALLENGE["properties"][name] for name in ("hostname", "type", "dns", "http")})
)
_ERROR: Final[Schema] = object_of(
    {"reason": WORD, "message": TEXT, "method": TEXT_OR_NULL, "type": TEXT_OR_NULL, "url": TEXT_OR_NULL}, null=True
)
_NAME: Final[Schema] = object_of({"hostname": TEXT, "status": TEXT_OR_NULL, "error": _ERROR})
_FINDING: Final[Schema] = object_of({
    "check": {"enum": [check.value for check in Check]},
    "severity": {"enum": [severity.value for severity in Severity]},
    "site": TEXT_OR_NULL,
    "subject": TEXT,
    "seen": TEXT,
    "expected": TEXT,
    "next": TEXT,
})  # fmt: skip


_PLAN: Final[Schema] = object_of(
    {
        **API,
        "kind": {"const": "Plan"},
        "digest": DIGEST,
        "changes": list_of(_CHANGE),
        "holds": list_of(hold_schema()),
        "errors": list_of(_PROBLEM),
    },
    {"removable": _REMOVABLE},
)
_COUNTS: Final[Schema] = object_of({"ready": COUNT, "waiting": COUNT, "failing": COUNT, "unseen": COUNT})
_VERDICT: Final[Schema] = object_of({"reason": WORD, "fires": BOOL, "message": TEXT})


def output_schemas() -> dict[str, Schema]:
    """Give each output's schema by its file name."""
    return {
        "challengelist.json": object_of(
            {
                **API,
                "kind": {"const": "ChallengeList"},
                "site": TEXT,
                "order": TEXT_OR_NULL,
                "expires": TIME_OR_NULL,
                "ok": BOOL,
                "names": list_of(_NAME),
                "error": _ERROR,
                "next": TEXT_OR_NULL,
                "items": list_of(_CHALLENGE),
                "removable": _REMOVABLE,
            }
        ),
        "item.json": by_kind(item_schemas(seen=False)),
        "list.json": object_of({**API, "kind": {"const": "List"}, "items": list_of(by_kind(item_schemas(seen=True)))}),
        "plan.json": _PLAN,
        "preflightreport.json": object_of(
            {
                **API,
                "kind": {"const": "PreflightReport"},
                "ok": BOOL,
                "sites": list_of(TEXT),
                "items": list_of(_FINDING),
                "notes": list_of(TEXT),
            }
        ),
        "status.json": object_of(
            {
                **API,
                "kind": {"const": "Status"},
                "source": TEXT_OR_NULL,
                "counts": _COUNTS,
                "holds": list_of(hold_schema()),
                "items": list_of(site_schema(seen=True)),
            }
        ),
        "validation.json": object_of(
            {**API, "kind": {"const": "Validation"}, "ok": BOOL, "sites": COUNT, "errors": list_of(_PROBLEM)}
        ),
        "verifyreport.json": object_of(
            {**API, "kind": {"const": "VerifyReport"}, "ok": BOOL, "items": list_of(_HANDSHAKE)}
        ),
        "version.json": object_of({**API, "kind": {"const": "Version"}, "version": TEXT, "python": TEXT}),
        "why.json": object_of(
            {**API, "kind": {"const": "Why"}, "site": TEXT, "verdicts": list_of(_VERDICT), "plan": _PLAN}
        ),
    }
