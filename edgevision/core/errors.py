"""Every error edgevision raises on purpose, and the exit code each one ends a command with.

    EdgevisionError                 1   the answer is no
    ├── ParityError                 1   the exported model does not compute what the checkpoint computes
    ├── CompilationError            1   the device's own compiler refuses the exported model
    ├── WrongSettingError           1   a model file says of its input what makes it worse than it is
    ├── PartialFailureError         1   some inputs failed, the others were done
    ├── MeasurementError            1   a measurement is not to be trusted, or shows what it must not
    ├── DiskFullError               1   the result could not be stored
    ├── CollapseError               1   a training went wrong in a way that more steps would not mend
    ├── InputError                  2   something the user gave cannot be used
    │   ├── CheckpointError         2   a PyTorch checkpoint
    │   ├── ModelFileError          2   an exported model file, or the metadata inside it
    │   │   ├── DecryptionError     2   an encrypted one that this key does not open, or that was changed
    │   │   └── SignatureError      2   one that is not what was signed, or by nobody that is trusted
    │   ├── UnfitInputError         2   a model does not take an input of that shape (also a ValueError)
    │   ├── ImageError              2   a picture
    │   │   └── TooLargeError       2   one of more pixels than are decoded
    │   └── DatasetError            2   a data set
    ├── OutputError                 2   the place the user named cannot be written
    └── DeviceError                 3   the device is not there, or cannot run this model
        ├── UnreachableError        3   a board does not answer over SSH, which may pass
        ├── NotFiniteError          3   a model gave NaN or Inf
        ├── DeviceMemoryError       3   a device has not enough memory for one input
        ├── EngineCrashError        3   an engine crashed, or computed without end
        └── MissingExtraError       3   an optional package is not installed (also an ImportError)

A message states the rule, the value with ``!r`` and what to do next, in one or two lines. Misuse of the Python API
raises the builtin ``TypeError`` and ``ValueError`` instead.
"""

import errno
from typing import Self

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where a disk, a quota or a file is as full as it may be."""


class EdgevisionError(Exception):
    """Base of the tree; ``str(error)`` is what the command line prints."""

    exit_code = 1


class ParityError(EdgevisionError):
    """An exported model's outputs differ from the checkpoint's by more than the precision allows."""


class CompilationError(EdgevisionError):
    """The compiler of the device that a model was exported for refuses it."""


class WrongSettingError(EdgevisionError):
    """Pictures show that a model was meant to be given something else than its file says."""


class PartialFailureError(EdgevisionError):
    """Some inputs of a batch failed; the results of the others were delivered."""


class MeasurementError(EdgevisionError):
    """A benchmark's board was not in order, or a comparison shows what the user said it must not."""


class DiskFullError(EdgevisionError):
    """The disk or the quota is full; at the target path nothing was left behind, or what the message says was kept."""


class CollapseError(EdgevisionError):
    """A training's loss is not finite, or its samples have become all alike; what was good before is on disk."""


class InputError(EdgevisionError):
    """A path, an option or a file the user gave cannot be used."""

    exit_code = 2


class CheckpointError(InputError):
    """A checkpoint is missing, damaged, unsafe to load, or does not fit the network."""


class ModelFileError(InputError):
    """A model file is missing, damaged, too new, or carries no usable metadata."""


class ImageError(InputError):
    """A picture cannot be decoded."""


class DecryptionError(ModelFileError):
    """An encrypted model was made for another key, or is not as it was made."""


class SignatureError(ModelFileError):
    """A model has to be signed by a key and is not, or has changed since."""


class UnfitInputError(InputError, ValueError):
    """A model does not take an input of that shape or type; others it may take."""


class TooLargeError(ImageError):
    """A picture has more pixels than are decoded; nothing of it was."""


class DatasetError(InputError):
    """A data set is missing, empty, or not laid out as expected."""


class OutputError(InputError):
    """An output path cannot be written: no such folder, no permission, or it exists already."""


class DeviceError(EdgevisionError):
    """The asked device or engine is not available; nothing was run anywhere else instead."""

    exit_code = 3


class UnreachableError(DeviceError):
    """A board does not answer over SSH, or no longer; it may do so again later."""


class NotFiniteError(DeviceError):
    """A model gave NaN or Inf, on this device at least."""


class DeviceMemoryError(DeviceError):
    """A device has not enough memory for one input; it may have for a smaller one."""


class EngineCrashError(DeviceError):
    """An engine ended the process that it ran in, or did not come back and was ended with it."""


class MissingExtraError(DeviceError, ImportError):
    """An optional package is missing; the message holds the command that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        from edgevision.core.installation import install_command

        super().__init__(f"{package} is not installed and this needs it: {install_command(extra)}", name=package)
        self._missing = package, extra

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), self._missing
