"""Profile sources: what is on offer?"""
