"""Modules of ours for weights that nobody here trained: written after the papers, filled from the published files."""
