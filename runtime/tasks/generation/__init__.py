"""Drawing pictures from seeds."""
