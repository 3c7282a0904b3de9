"""The real parts that tests talk to, one module each: how it is configured, started, known to be ready, and ended.

What enters: a directory for its files, and options. What leaves: a running server on loopback, ended with its block.
Must not do: skip when a program is missing (that fails, naming the command that installs it), listen beyond loopback,
or end a process that it did not start.
"""
