"""Rotations: in every store, killed, taken back, among others, and bounded."""
