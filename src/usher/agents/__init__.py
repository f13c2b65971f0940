"""Agents: what does the server say?"""
