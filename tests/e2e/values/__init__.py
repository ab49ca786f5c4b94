"""What is in the Secrets, where it comes from, and who may read it."""
