"""What a live environment is like, against its settings: pure, from a snapshot of its cluster."""
