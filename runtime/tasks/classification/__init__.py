"""Saying what is in a picture."""
