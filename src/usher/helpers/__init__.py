"""Tiny processes with other rights. They import nothing of the package."""
