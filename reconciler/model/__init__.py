"""The nouns: frozen values, enums and protocols that two rooms or more share.

Nothing enters and nothing leaves: the other rooms pass these on. Must not do: input or output, clocks, randomness,
third-party packages. A noun that only one room uses belongs to that room.
"""
