"""What each site needs of issuers: nothing, a stored certificate again, or a new one, and why not now.

A DesiredSite and what was observed of it enter; a wish, and the changes and holds that follow from it, leave. Pure;
knows nothing of servers and their files.
"""
