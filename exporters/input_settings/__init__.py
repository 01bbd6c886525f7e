"""Which setting of a model's input is wrong: others are tried, and measured on pictures."""
