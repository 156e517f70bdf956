"""A module for each collection: what is asked of an edge, and what has to come back."""
