"""Checkpoint in, ONNX or OpenVINO out, with proof that both compute the same."""
