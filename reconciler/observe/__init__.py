"""The second room: what is. Reads the store and installed files, and compares them with what the manifests want there.

A `Scope` and what is `Declared` enter, a `World` leaves. `quiet` remembers by stat signatures which sites need no look.

Must not do: write anything (but the cache of signatures, which may be deleted at any time), ask the network, read the
store's keys, decide what follows.
"""
