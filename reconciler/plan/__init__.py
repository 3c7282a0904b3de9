"""Deciding: what the manifests say and what was observed become a plan of changes and holds.

Enters: `Declared`, `World`, the time as an argument, what a person allowed. Leaves: a `Plan`, the same one for the
same input. First `issuing` (which certificate a site has), then `placing` (where it goes), then `removal` (what
leaves); `assemble` puts all of it in one order. Must not do: input or output, clocks, randomness (jitter is a
hash), third-party packages. Nothing here remembers anything.
"""
