"""The door to other programs: run one command, bounded in time and in output, with nothing of our environment.

Callers use `reconciler.doors.processes.api`.

An argument vector from the policy or a trusted tree enters; the exit status and the first 64 KiB of what it printed
leave, which is text from outside (`Finished.text`). Secrets go in by `stdin`, never by `argv`, which every user can
read. Must not do: use a shell, look a program up by `PATH`, start a server that is meant to stay (one that a reload
makes survives), interpret output.
"""
