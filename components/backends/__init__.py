"""The provider half: one file per provider, the only importers of the providers' SDKs."""
