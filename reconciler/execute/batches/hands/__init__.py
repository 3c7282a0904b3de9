"""What a batch may have done on this machine: a target's own declared commands, looks at its directory, its socket.

Argument lists, directories and words for a socket enter; exit codes and bounded, shown-safe text leave. Must not know
why: of batches, sites and the store nothing is known here.
"""
