"""Directories: who is that, and in which groups?"""
