"""What the board did while something was measured on it: clocks, temperatures, power, throttling, other work."""
