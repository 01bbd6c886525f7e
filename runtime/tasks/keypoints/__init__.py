"""Keypoints: a picture of a thing in, named points on it out."""
