"""One module for each verb, imported when it is typed: its flags, its calls to the rooms below, what it prints.

Verbs do not import each other, but where one is another with a wish before it. What several share stands in `shared`.
"""
