"""What people do, and what they see when something breaks."""
