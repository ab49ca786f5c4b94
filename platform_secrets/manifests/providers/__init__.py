"""One file per provider: what its SecretStore and its ServiceAccount need."""
