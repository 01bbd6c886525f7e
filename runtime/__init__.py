"""Model file in, answers out: engines, pipelines and measurement on the device. Never imports torch or onnx."""
