"""From float to int8: which nodes, in which ranges, and whether it pays."""
