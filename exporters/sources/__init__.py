"""What is exported, read: a PyTorch checkpoint that is converted to ONNX, or a model that is ONNX already."""
