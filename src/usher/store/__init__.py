"""Stores: what must outlive the process."""
