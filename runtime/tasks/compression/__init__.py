"""Photographs into few bytes, and back."""
