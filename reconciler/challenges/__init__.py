"""Ways to prove control of a name: each is a `model.ports.Solver`.

Enters: a token and a key authorization (RFC 8555 section 8.1), both checked. Leaves: an answer that the CA can fetch,
and an `Undo` by which it is taken away again, also after a crash.

Must not: talk to a CA, know an order, hold a key, overwrite or delete what somebody else put there.

Reasons of failures (all local): BadToken, WebrootMissing, TokenExists, TokenVanished, NoSuchUser, HostnameUnfit,
PortTaken, PortNotAllowed, PortUnusable, and those of `doors.files`.
"""
