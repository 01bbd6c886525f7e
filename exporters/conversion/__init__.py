"""From a PyTorch network to a model file's graph, compared with the network on the way."""
