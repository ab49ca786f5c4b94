"""The rendered tree, applied and reconciled."""
