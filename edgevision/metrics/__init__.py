"""Figures of quality, of arrays."""
