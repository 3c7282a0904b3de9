"""The door to files outside the store: every write and every guarded read. Callers use `reconciler.doors.files.api`.

Paths, bytes and modes enter; bytes, facts (`FileStat`) and typed failures leave. A path is walked part by part from
`/`, so that nobody who may swap a directory for a link can steer us (`_walk`); a file is replaced by a finished new
one, never opened for writing (`_write`); what is read may be a pipe, a device or a terabyte (`_read`).

Where a path enters the tree of somebody else, all below is done with that owner's rights, or by an ordinary user not at
all (`_ground`, `_acting`).

Must not do: follow a link that neither root nor we made, change a file in place, change an owner in a tenant's tree,
run a command, or decide what belongs into a file.
"""
