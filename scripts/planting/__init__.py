"""Deliberate faults: healthy models made without training, what a person may do wrong to them, and who catches it."""
