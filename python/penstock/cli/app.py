"""The commands and their options."""

from __future__ import annotations

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.bundles.storage import KeyLayout
from penstock.cli import bundle as bundle_command
from penstock.cli import doctor as doctor_command
from penstock.cli import fetch as fetch_command
from penstock.display import printable
from penstock.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Bytes as streams: a URL becomes a verified object."
)
bundle = typer.Typer(no_args_is_help=True, help="Bundles of a folder or of s3://bucket/prefix.")
app.add_typer(bundle, name="bundle")

Place = Annotated[
    str, typer.Argument(metavar="TARGET", help="a folder, file:///folder or s3://bucket/prefix")
]


Keys = Annotated[
    KeyLayout, typer.Option("--layout", envvar="OC_STORAGE_LAYOUT", help="of the keys in a bucket")
]
Endpoint = Annotated[str, typer.Option("--endpoint", help="S3 endpoint; else the environment's")]
Json = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]


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
    relay: Annotated[
        bool, typer.Option("--relay", help="to S3: hold no parts where the origin can be read again")
    ] = False,
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
        relay=relay,
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


@bundle.command("ls")
def bundle_ls(
    target: Place,
    everything: Annotated[bool, typer.Option("--all", help="those that are not completed too")] = False,
    layout: Keys = KeyLayout.DOC,
    endpoint: Endpoint = "",
    json: Json = False,
) -> None:
    """Bundles that readers may trust: id, when it was completed, resources, bytes."""
    place = bundle_command.Target(target, layout.value, endpoint or None)
    _leave("ls", lambda: bundle_command.ls(place, everything=everything, as_json=json))


@bundle.command("show")
def bundle_show(
    target: Place,
    bid: Annotated[str, typer.Argument(metavar="BID")],
    layout: Keys = KeyLayout.DOC,
    endpoint: Endpoint = "",
    json: Json = False,
) -> None:
    """One bundle: what readers trust, then its manifest. --json prints both as written, queries of URLs included."""
    place = bundle_command.Target(target, layout.value, endpoint or None)
    _leave("show", lambda: bundle_command.show(place, bid, as_json=json))


@bundle.command("verify")
def bundle_verify(
    target: Place,
    bids: Annotated[list[str] | None, typer.Argument(metavar="BID", show_default=False)] = None,
    layout: Keys = KeyLayout.DOC,
    endpoint: Endpoint = "",
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="only what is wrong")] = False,
) -> None:
    """Compute every hash again, of the bundles named or of all.

    Exits with 0 if all are whole, 2 for a name that no resource may have, 3 for one that is not as it was published,
    4 for one that is not there.
    """
    place = bundle_command.Target(target, layout.value, endpoint or None)
    _leave("verify", lambda: bundle_command.verify(place, bids or [], as_json=json, quiet=quiet))


@bundle.command("recover")
def bundle_recover(
    context: typer.Context,
    target: Place,
    recipe: Annotated[str, typer.Option(help="whose bundles")],
    queue_url: Annotated[
        str, typer.Option(envvar="OC_SQS_QUEUE_URL", help="who is told of bundles that nobody was told of")
    ] = "",
    drop: Annotated[
        bool, typer.Option("--drop", help="remove the records of what is told: no program has hooks for it")
    ] = False,
    layout: Keys = KeyLayout.DOC,
    endpoint: Endpoint = "",
    json: Json = False,
) -> None:
    """Take up what dead processes left of a recipe, and tell the queue what it was not told.

    Hooks are of a program, and called by it: it is what is told that keeps its record until then, unless --drop is
    given. Without a queue such bundles wait, and it exits with 2; for a folder that of the environment is none.
    """
    place = bundle_command.Target(target, layout.value, endpoint or None)
    source = context.get_parameter_source("queue_url")
    from_environment = source is not None and source.name == "ENVIRONMENT"

    def run() -> int:
        queue = "" if from_environment and place.folder is not None else queue_url
        return bundle_command.recover(place, recipe, queue or None, drop=drop, as_json=json)

    _leave("recover", run)


@bundle.command("sweep")
def bundle_sweep(
    target: Place,
    delete: Annotated[
        bool, typer.Option("--delete", help="in a bucket: objects of bundles never completed, a day old")
    ] = False,
    layout: Keys = KeyLayout.DOC,
    endpoint: Endpoint = "",
    json: Json = False,
) -> None:
    """Move aside what dead processes had under way; `ls --all` shows it."""
    place = bundle_command.Target(target, layout.value, endpoint or None)
    _leave("sweep", lambda: bundle_command.sweep(place, delete=delete, as_json=json))


def _leave(verb: str, run: Callable[[], int]) -> None:
    try:
        code = run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except (Error, OSError, ValueError) as error:
        print(f"penstock bundle {verb}: {printable(str(error))}", file=sys.stderr)
        code = fetch_command.exit_code(getattr(error, "kind", "refused"))
    raise typer.Exit(code)
