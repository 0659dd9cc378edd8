"""The commands and their options."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Annotated

import typer

from penstock.cli import doctor as doctor_command
from penstock.cli import fetch as fetch_command
from penstock.errors import Error

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Bytes as streams: a URL becomes a verified object."
)


class Mode(str, Enum):
    """What to do with an object that is there."""

    OVERWRITE = "overwrite"
    CREATE = "create"


class Guard(str, Enum):
    """Which addresses a download may reach."""

    ANY = "any"
    PUBLIC = "public"


@app.command()
def fetch(
    urls: Annotated[list[str] | None, typer.Argument(help="http or https", show_default=False)] = None,
    to: Annotated[str, typer.Option(help="s3://bucket/prefix/, file:///dir/, or the URI of one object")] = "",
    sha256: Annotated[str, typer.Option(help="expected digest, 64 hex digits; one URL only")] = "",
    checksum: Annotated[str, typer.Option(help="ALG:VALUE, hex or base64; one URL only")] = "",
    expect_bytes: Annotated[int | None, typer.Option(help="exact size; one URL only")] = None,
    max_bytes: Annotated[str, typer.Option(help="ceiling of one file")] = "5GiB",
    jobs: Annotated[int, typer.Option(help="transfers at once", min=1, max=256)] = 16,
    budget: Annotated[str, typer.Option(help="memory for all transfers together")] = "",
    mode: Annotated[Mode, typer.Option(help="what to do when the key is taken")] = Mode.OVERWRITE,
    tasks: Annotated[
        str,
        typer.Option("--from", help="NDJSON tasks from a file or stdin (-); the options are their defaults"),
    ] = "",
    header: Annotated[list[str] | None, typer.Option(help="K:V, sent to the origin")] = None,
    guard: Annotated[Guard, typer.Option(help="public: refuse private addresses")] = Guard.ANY,
    endpoint: Annotated[str, typer.Option(help="S3 endpoint; else the environment's")] = "",
    json: Annotated[bool, typer.Option("--json", help="one FileResult a line on stdout")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no bars, no lines")] = False,
) -> None:
    """Download, verify, and only then publish."""
    options = fetch_command.Options(
        urls=urls or [],
        to=to,
        sha256=sha256 or None,
        checksum=checksum or None,
        expect_bytes=expect_bytes,
        max_bytes=max_bytes,
        jobs=jobs,
        budget=budget or None,
        mode=mode.value,
        tasks=tasks,
        headers=header or [],
        guard=guard.value,
        endpoint=endpoint or None,
        json=json,
        quiet=quiet,
    )
    try:
        code = fetch_command.run(options)
    except KeyboardInterrupt:
        print("interrupted: nothing unfinished is visible", file=sys.stderr)
        code = 130
    except (Error, OSError, ValueError, TypeError) as error:
        print(f"penstock fetch: {error}", file=sys.stderr)
        code = fetch_command.exit_code(getattr(error, "kind", "refused"))
    raise typer.Exit(code)


@app.command()
def doctor(
    endpoint: Annotated[str, typer.Option(help="S3 endpoint to ask; else the environment's")] = "",
    bucket: Annotated[str, typer.Option(help="bucket to ask for")] = "",
) -> None:
    """Library versions, what was found of credentials, and whether an endpoint answers.

    Exits with 0, or 2 if a file or an endpoint is malformed, 4 if the bucket cannot be read, 5 without an answer.
    """
    try:
        code = doctor_command.run(endpoint or None, bucket or None)
    except (Error, OSError, ValueError) as error:
        print(f"penstock doctor: {error}", file=sys.stderr)
        code = fetch_command.exit_code(getattr(error, "kind", "refused"))
    raise typer.Exit(code)
