"""Reading PyTorch checkpoints from anywhere as a network that can be called, without running code they carry."""

from edgevision.exporters.checkpoints.checkpoint import Checkpoint, read_checkpoint

__all__ = ["Checkpoint", "read_checkpoint"]
