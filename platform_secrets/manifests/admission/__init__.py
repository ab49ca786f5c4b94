"""Admission of what nobody has declared, in the environment's namespaces."""
