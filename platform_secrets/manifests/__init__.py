"""The core: pure functions from settings to Kubernetes objects."""
