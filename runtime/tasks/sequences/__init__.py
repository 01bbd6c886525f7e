"""Sequences: frames in, after each of them what is going on out."""
