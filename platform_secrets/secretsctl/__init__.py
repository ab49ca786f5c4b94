"""The command line: what can be done without Pulumi."""
