"""Ways to prove control of a name: each is a `model.ports.Solver`.

Enters: a token and a key authorization (RFC 8555 section 8.1), both checked. Leaves: an answer that the CA can fetch,
and an `Undo` by which it is taken away again, also after a crash.

Must not: talk to a CA, know an order, hold a key, overwrite or delete what somebody else put there.

Reasons of failures: BadToken (whose blame is the CA's); all others are local: WebrootMissing, TokenExists,
TokenVanished, NoSuchUser, HostnameUnfit, PortTaken, PortNotAllowed, PortUnusable, SelfTestFailed, TlsUnusable, and
those of `doors.files`; the ways by DNS have their own.
"""
