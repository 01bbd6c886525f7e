"""How a task answers a request that comes over a network: with the pipeline of its verb, one picture at a time.

A room that can be served subclasses :class:`ServedTask`, names it in :attr:`.Task.served`, and says which of its verb's
options a request may give; :mod:`edgevision.runtime.serving` does the rest for all tasks alike. What is answered is
what the verb prints with ``--json``, or the picture that it writes, to the last byte.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from edgevision.imaging.images import read_image
from edgevision.imaging.picture_formats import PNG, PictureFormat
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ModelMetadata

Values = Mapping[str, Any]
"""The values of a verb's options by the names of its parameters, checked as the command line checks them."""

AnswerKind = Literal["picture", "json", "both", "file"]


class Inputs(NamedTuple):
    """The encoded files of a request by their names, as ``image``, and what the client calls the picture."""

    files: Mapping[str, bytes]
    name: str = "the picture"


@dataclass(frozen=True, kw_only=True)
class InBrowser:
    """How a browser does a task by itself, without a server.

    Attributes:
        module: of the folder ``runtime/web/local/tasks``, without its ending.
        options: those of :attr:`ServedTask.options` that it has.
        limits: what it does not do there, which the page says.
    """

    module: str
    options: tuple[str, ...] = ()
    limits: str = ""


@dataclass(frozen=True, kw_only=True)
class ServedTask:
    """What is a task's own in serving it.

    Attributes:
        inputs: the files of a request, of which the first has to be there.
        optional: those of them without which there is an answer too.
        clips: those of them that are not read as pictures: a video, an animation, or a format of the task's own.
        answer_kind: whether an answer is a picture, JSON, either as the client likes, or a file that no page can show.
        options: the parameters of the verb that a request may give.
        maximum: of numbers among them, where one client of many may ask for less than the only user of a machine.
        batches: whether pictures of several requests may go through the network together.
        browser: how a page does it without a server; ``None`` where none can.
        not_in_browser: why none can.
    """

    inputs: tuple[str, ...] = ("image",)
    optional: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    answer_kind: AnswerKind = "json"
    options: tuple[str, ...] = ()
    maximum: Mapping[str, float] = field(default_factory=dict)
    batches: bool = False
    browser: InBrowser | None = None
    not_in_browser: str = ""

    def browser_refusal(self, metadata: ModelMetadata) -> str | None:
        """Why :attr:`browser` cannot run this model, where it runs others of the task."""
        return None

    def pipeline_options(self, values: Values) -> dict[str, Any]:
        """What the pipeline is made with for such requests."""
        return {}

    def read(self, inputs: Inputs, values: Values) -> Any:
        """Decode the files of one request.

        Raises:
            InputError: something is wrong with them.
        """
        return read_image(inputs.files["image"], name=inputs.name)

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        """A result for each content that was :meth:`read`; all of them come with the same values."""
        return [pipeline(content) for content in contents]

    def document(self, result: Any, values: Values) -> dict[str, Any]:
        """What ``--json`` prints of one picture."""
        document: dict[str, Any] = result.to_dict()
        return document

    def formats(self, values: Values) -> tuple[PictureFormat, ...]:
        """In what an answer can be asked for beside the format of the picture that was sent; the first is the usual."""
        return (PNG,)

    def transparent(self, values: Values, files: Container[str]) -> bool:
        """Whether a format without transparency cannot hold the answer to a request with those files."""
        return False

    def encoded(self, result: Any, content: Any, kind: PictureFormat, values: Values) -> bytes:
        """The file of an answer that is a picture; one that is only said is drawn into what was sent."""
        picture: Picture = result.draw(content)
        return picture.encode(kind)
