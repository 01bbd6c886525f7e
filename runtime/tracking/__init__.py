"""Which box of a frame is the same thing as one of the frame before."""
