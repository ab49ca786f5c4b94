"""The provider halves: identities, entries, databases, and what is adopted."""
