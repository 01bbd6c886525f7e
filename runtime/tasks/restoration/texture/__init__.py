"""Texture for large holes: copies of the picture's own parts, guided by the network's smooth fill."""
