"""The Pulumi shell: one ComponentResource per part, no Kubernetes field of its own."""
