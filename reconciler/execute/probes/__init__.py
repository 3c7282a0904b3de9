"""What only the network can answer, asked after a change: its answers are facts with an age, kept in the store.

Probes enter, what was seen leaves. Must not do: judge whether a site is Ready, change anything.
"""
