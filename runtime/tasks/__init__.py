"""What a model can be for: one room a task."""
