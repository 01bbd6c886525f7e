"""Pictures painted in other styles."""
