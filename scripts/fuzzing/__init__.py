"""Mutated model files: how they are made, read in children, and counted."""
