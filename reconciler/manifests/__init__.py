"""Manifests: files of YAML become the meaning of each site.

Enters: the bytes of the files of a tree and their names. Leaves: validated objects of the six kinds, then DesiredSite
values with every default filled in, and every problem that a person must mend, each with file, line and column.
The way goes through `text` (bytes to documents), `kinds` (documents to checked objects), `lastgood` (what stands for
what is broken) and `resolving` (objects to sites); `tree` leads it, and `incremental` is its short way after an edit.
It must not: touch the network, the store or a server; resolve a secret; quote a secret or a key in a problem.
"""
