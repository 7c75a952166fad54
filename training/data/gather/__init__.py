"""Gathering data page by page from a site that the user names, politely, and reading the formats that come of it."""
