"""A stack on the engine: what it makes, changes, keeps and takes away."""
