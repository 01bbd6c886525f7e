"""What is found out of a network by running it, or by reading its graph."""
