"""The page that is searched by an error's words has words that errors have."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_message_of_the_page_is_one_of_the_program():
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\*\*`(.+?)`\*\*", page, re.MULTILINE)
    assert len(messages) > 10
    sources = [path for folder in ("edgevision", "runtime", "exporters") for path in (ROOT / folder).rglob("*.py")]
    # Long messages are written in pieces.
    program = re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in sources))
    assert [message for message in messages if message not in program] == []
