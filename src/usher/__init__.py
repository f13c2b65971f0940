"""Usher, an X2Go session broker."""
