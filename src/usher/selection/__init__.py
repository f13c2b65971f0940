"""Selectors: which of these servers?"""
