"""The rotator: its program, plan and memory, what makes new values, and its bounds."""
