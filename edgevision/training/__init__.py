"""Training in PyTorch: data, augmentation, the Lightning loop, and the checkpoint that carries its own metadata."""
