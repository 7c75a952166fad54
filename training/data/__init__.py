"""One file per data set, and the way from a pinned package to its verified content."""
