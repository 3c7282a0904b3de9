"""What a manifest tree meant when it was last good, and what of it is broken now.

Readings and the cache enter; what stands for a broken part, and the hold that tells of it, leave. A broken object is
never taken for an absent one. Nothing is decided here about certificates or servers.
"""
