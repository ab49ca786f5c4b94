"""What stands in manifests as a catalogue and a stack file: pure functions, no value among them."""
