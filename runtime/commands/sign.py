"""The verb ``edgevision sign``."""

import zipfile
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.options import OUTPUT_PANEL, ForceOption, JsonOption
from edgevision.cli.output import echo, print_json
from edgevision.core.atomic_files import atomic_file, check_all_writable
from edgevision.core.errors import InputError
from edgevision.core.printable import one_line
from edgevision.modelfiles.licences import licences_line
from edgevision.modelfiles.model_file import read_metadata
from edgevision.modelfiles.signature import SigningKey, sign_model, signature_path, signed_files

_KEY_PANEL = "Key"


def sign(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file (.onnx, .xml, .tflite, .param, .rknn).")],
    key: Annotated[
        str,
        typer.Option(
            help="Private key in PEM (P-256, P-384, P-521), env:NAME for one in a variable, or 'command:PROGRAM ...'.",
            rich_help_panel=_KEY_PANEL,
        ),
    ],
    certificate: Annotated[
        Path | None, typer.Option("--cert", help="Certificate of the key, in PEM.", rich_help_panel=_KEY_PANEL)
    ] = None,
    chain: Annotated[
        list[Path],
        typer.Option(help="Certificate between it and the root, in PEM; repeatable.", rich_help_panel=_KEY_PANEL),
    ] = (),  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    archive: Annotated[
        Path | None,
        typer.Option("--zip", help="Also pack all that is signed, and the signature.", rich_help_panel=OUTPUT_PANEL),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sign a model: its graph, weights (also those kept beside it), metadata and report, by a private key.

    The signature, NAME.sig, lies beside the model and belongs to it; --require-signature KEY of any verb, with the
    public key, then opens no other model. A password of the key is read from EDGEVISION_KEY_PASSWORD.

    Examples:
        edgevision sign model.onnx --key signing.pem
        edgevision sign model.onnx --key env:SIGNING_KEY --zip model.zip
    """
    if chain and certificate is None:
        raise InputError("--chain leads from --cert to the root; give both")
    for path in (certificate, *chain):
        if path is not None and not path.is_file():
            raise InputError(f"the certificate {str(path)!r} does not exist")
    outputs = [signature_path(model), *([archive] if archive is not None else [])]
    if archive is not None and archive.suffix != ".zip":
        raise InputError(f"--zip is a .zip file, not {str(archive)!r}")
    check_all_writable(outputs, force=force)
    if not as_json:
        echo(licences_line(read_metadata(model)), err=True)
    signature = sign_model(model, SigningKey(key, certificate, tuple(chain)), force=force)
    files = signed_files(model)
    if archive is not None:
        with atomic_file(archive, force=force) as temporary, zipfile.ZipFile(temporary, "w") as packed:
            for name in (*files, signature.name):
                packed.write(model.parent / name, name)
    if as_json:
        print_json({"model": str(model), "signed": list(files), "outputs": [str(path) for path in outputs]})
    else:
        echo(f"signed {', '.join(map(one_line, files))}")
        for path in outputs:
            echo(one_line(path))
