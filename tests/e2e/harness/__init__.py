"""The parts themselves: they start, answer and end, and refuse what real ones refuse."""
