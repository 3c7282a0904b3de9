"""Who is to blame where a server refuses or lost something, and what goes back for that: files, live pointers.

A batch and a refused test or a proof that got worse enter; verdicts and failed sites leave, with their files and
pointers as they were. Must not begin a reload of its own accord: it is given what to do.
"""
