"""The objects of a tree become the meaning of each site, every reference followed and every default filled in.

Validated objects enter; a DesiredSite for each site leaves, or problems with their place. Nothing is read from disk.
"""
