"""The store: everything that outlives a pass, in one directory (specified by `state/README.md`).

Values of the model enter and leave through the protocols `Leases`, `Reader`, `Writer`, `Material` and `Cache` of
`model.ports`; callers use `open_store` of `reconciler.store.files` (and `FileStore.cache`). `layout` forms every path,
`atomic` makes every write, the other modules are one folder of the store each.

Must not do: hand out a path to write to, a file handle or SQL; open a key outside `Material`; write anywhere but in its
directory; decide what a certificate needs; leave anything half-written, wherever it is killed.
"""
