"""Authenticators: is it you?"""
