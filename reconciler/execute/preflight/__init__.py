"""The checklist from outside in: DNS, CAA, challenges, the state directory, targets and their commands.

Sites as the manifests mean them enter; findings leave, each with what mends it. What it puts into the world to find out
(an answer to a challenge that nobody asked) is written down first and taken away at once. Must not: ask a CA, change a
target, remember anything of a site.
"""
