"""Files of one batch, moved forward or back: contents and rights, blocks of shared files, the record of a switch.

What shall stand at each path enters; what stood there before is on record before anything moves, and can be put back
after a kill. Must not test, reload or judge.
"""
