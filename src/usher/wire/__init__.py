"""Wires: text to Request, Reply to text. No I/O, no awaiting."""
