"""Two forms of one model, layer by layer: where they part, and what each layer adds to it."""
