"""Beside the path: the server types. Each renders the files of its sites and asks its server to test and to load them.

A `TargetSpec` and the sites as a target sees them enter; `Artifact`s, `Refusal`s, judged test output and handshakes to
make leave.

Must not do: read or write a file, run a command except through `Hands`, see a key, edit a file of the user's. One
site's failure is a `Refusal` for that site and never an exception.
"""
