"""The verb ``edgevision run translate``."""

from edgevision.cli.option_groups import option_groups
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.picture_options import NO_INPUTS, InputsArgument
from edgevision.runtime.tasks.restoration.running import PictureOptions, SmoothOption, run_on_pictures


@on_boards("run translate", "edgevision.runtime.tasks.translation.board_files:translate_files")
@option_groups
def translate(inputs: InputsArgument = NO_INPUTS, smooth: SmoothOption = 0, *, options: PictureOptions) -> None:
    """Turn pictures of one kind into another, as drawn edges into photographs.

    What is drawn has to look as in training, in size, too; what cannot be known of it becomes a blur. The model that
    ships makes micrographs of nuclei drawn in two colours, without texture.

    Examples:
        edgevision run translate nuclei.png --compare before-after.png
        edgevision run translate edges.png --model photographs.onnx
        edgevision run translate drawings/ --model faces.onnx -o faces/
    """
    run_on_pictures("translate", inputs, options, name_suffix="translated", smooth=smooth)
