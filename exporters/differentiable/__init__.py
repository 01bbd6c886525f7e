"""ONNX graphs as PyTorch networks, which have derivatives: for training what is about to be quantised."""
