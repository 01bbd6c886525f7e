"""Measuring latency, and comparing what was measured."""
