"""ACME (RFC 8555): the only room that talks to a CA, and the door to `acme` and `josepy`.

Bottom up: `origin` (which addresses and URLs are allowed), `connections` (a socket to a checked address, one
deadline), `transport` (one request, bounded), `times` (dates, in UTC), `problems` (what a CA's refusal means),
`nonces`, `signing`, `session` (signed requests with retries), `resources` (shapes of answers), `account`, `pacing`,
`authorizations`, `download`, `order` (the resumable state machine), `issuer` (the plug-in).

Must not: follow a redirect, reach another origin than the directory's, ask the environment for proxies or roots, use a
token before it was checked, sleep over ten seconds, make a second account, or hold a private key of a certificate
beyond one call.
"""
