"""The verb ``edgevision encrypt``."""

from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.options import OUTPUT_PANEL, ForceOption, JsonOption
from edgevision.cli.output import echo, print_json
from edgevision.core.atomic_files import check_writable
from edgevision.core.errors import InputError, ModelFileError
from edgevision.core.printable import one_line
from edgevision.modelfiles.encrypted_model import encrypt_files, write_new_key
from edgevision.modelfiles.licences import licences_line
from edgevision.modelfiles.model_file import (
    ENCRYPTED_FORMATS,
    ENCRYPTED_SUFFIX,
    check_model_file,
    is_encrypted,
    model_format,
    read_metadata,
)
from edgevision.modelfiles.signature import signed_files


def encrypt(
    model: Annotated[Path | None, typer.Argument(metavar="MODEL", help="Model file (.onnx, .xml).")] = None,
    recipients: Annotated[
        list[str],
        typer.Option(
            "--recipient", "-r", help="Public key, age1..., of who may open it, or a file of such; repeatable."
        ),
    ] = (),  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    new_key: Annotated[
        Path | None,
        typer.Option("--new-key", help="Instead make a private key here, and print its public one."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The encrypted model.", show_default="MODEL.age", rich_help_panel=OUTPUT_PANEL
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Encrypt a model, the weights kept beside it and its report, in the format of age.

    MODEL.age is opened like any model by whoever has the private key, and is decrypted into memory alone: --model-key
    of any verb says where the key is (a file, env:NAME, or 'command:PROGRAM ...').

    Examples:
        edgevision encrypt --new-key board.key
        edgevision encrypt model.onnx --recipient recipients.txt -o model.onnx.age
    """
    if new_key is not None:
        if model is not None or recipients:
            raise InputError("--new-key makes a key and encrypts nothing: call it alone")
        check_writable(new_key)
        recipient = write_new_key(new_key)
        if as_json:
            print_json({"recipient": recipient, "outputs": [str(new_key)]})
        else:
            echo(recipient)
        return
    if model is None or not recipients:
        raise InputError("name a model and at least one --recipient; --new-key FILE makes the key of one")
    target = output or model.with_name(model.name + ENCRYPTED_SUFFIX)
    if model_format(model) not in ENCRYPTED_FORMATS or is_encrypted(model):
        raise ModelFileError(
            f"{str(model)!r} cannot be encrypted; .onnx and .xml can, whose engines load them from memory"
        )
    if target.suffixes[-2:] != [model.suffix, ENCRYPTED_SUFFIX]:
        raise InputError(f"the encrypted model is called *{model.suffix}{ENCRYPTED_SUFFIX}, not {str(target)!r}")
    check_writable(target, force=force)
    check_model_file(model)
    if not as_json:
        echo(licences_line(read_metadata(model)), err=True)
    encrypt_files([(name, model.parent / name) for name in signed_files(model)], target, recipients, force=force)
    if as_json:
        print_json({"model": str(model), "outputs": [str(target)]})
    else:
        echo(one_line(target))
