"""The watch loop: `run` is the one pass again and again, over what changed, what is due and what was disturbed.

Identities enter (a watcher's hint, another process's feed, a timer); passes of the engine leave, and their plans go to
an executor. Must not decide anything about a certificate, carry anything but names through its queue, touch the
network, or import `wiring`: what it works with is handed to it.
"""
