"""What translation sends to a board, and what comes back."""

from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.restoration.board_files import send_pictures


def translate_files(command: RemoteCommand) -> None:
    """Pictures."""
    send_pictures(command, "translate", command.given["inputs"], name_suffix="translated")
