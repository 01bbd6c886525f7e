"""Segmentation: pictures in, which pixel belongs to what out."""
