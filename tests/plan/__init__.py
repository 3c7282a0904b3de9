"""A small world for the planner."""
