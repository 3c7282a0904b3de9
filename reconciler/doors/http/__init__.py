"""Door to HTTP beside ACME: `posting` speaks JSON with a service, `fetching` gets one small page as a CA would.

Both keep one deadline over all that is read (`_wire`). Each says what enters, what leaves and what it must not do.
"""
