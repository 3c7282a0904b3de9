"""Door to pydantic: the six kinds, what each of their fields may hold, and what is said if one does not.

Enters: documents. Leaves: `Resource` values, typed and closed (no unknown field), or problems with places; the shape
of each kind as JSON Schema. It must not: fill in what a Server or another object says (that is `resolve`), open a path,
or resolve a secret.
"""
