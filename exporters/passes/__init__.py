"""Graph passes: each takes a model and gives it back with whether it was changed."""
