"""ONNX graphs as PyTorch networks: to train what is about to be quantised, and for converters that take those."""
