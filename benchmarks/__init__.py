"""Measurements beside other tools. A benchmark reports; it fails only when something can't run."""
