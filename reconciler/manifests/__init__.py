"""Manifests: files of YAML become the meaning of each site.

Enters: the bytes of the files of a tree and their names. Leaves: validated objects of the six kinds, then DesiredSite
values with every default filled in, and every problem that a person must mend, each with file, line and column.
It must not: touch the network, the store or a server; resolve a secret; quote a secret or a key in a problem.
"""
