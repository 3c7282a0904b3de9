"""ACME (RFC 8555): the only room that talks to a CA, and the door to `acme` and `josepy`.

Bottom up: `lookups` (the system's resolver under a deadline), `origin` (which addresses and URLs are allowed), `wire`
(HTTP/1.1, bounded), `connections` (a socket to a checked address, one deadline), `transport` (one request), `times`
(dates, in UTC), `problems` (what a CA's refusal means), `nonces`, `signing`, `resources` (shapes of answers), `session`
(signed requests with retries), `account`, `pacing`, `choosing` (which challenge), `authorizations`, `download`, `order`
(the resumable state machine), `asked` (what a person was asked to publish), `staged` (an order in a person's hands),
`issuer` (the plug-in).

Must not: follow a redirect, reach another origin than the directory's, ask the environment for proxies or roots, use a
token before it was checked, sleep over ten seconds, make a second account, or hold a private key of a certificate
beyond one call.
"""
