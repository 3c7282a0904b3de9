"""What each site needs in its targets: files to install or take away, in which order, and when a server takes them up.

Wishes and what was observed of targets enter; changes and holds leave. Pure; which certificate a site has is decided
before.
"""
