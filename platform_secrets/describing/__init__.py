"""What settings mean: who can read what, what Secrets hold, and how two environments differ."""
