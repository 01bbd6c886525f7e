"""Any other model: tensors in, tensors out."""
