"""The emulated boards."""

from collections.abc import Callable
from functools import cache

import pytest
from arm64_userland import UserlandError
from emulated_board import Board, find_board


@pytest.fixture(scope="session")
def emulated_board() -> Callable[[str], Board]:
    """The emulated board of a name; its test is skipped with the reason where there is none."""

    @cache
    def find(name: str) -> Board | str:
        try:
            return find_board(name)
        except UserlandError as error:
            return str(error)

    def require(name: str) -> Board:
        board = find(name)
        if isinstance(board, str):
            pytest.skip(f"no emulated board: {board}")
        return board

    return require
