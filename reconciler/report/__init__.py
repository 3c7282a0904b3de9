"""Telling: plans, outcomes and what was observed become conditions, text, JSON, Markdown and an exit code.

Enters: values of the model and the time as an argument; for `get` and `status` the plain JSON items alone (those
modules import nothing of the model, so that they start fast). Leaves: text and JSON values. Must not do: input or
output, clocks, third-party packages, deciding. Nothing here is read by the planner.
"""
