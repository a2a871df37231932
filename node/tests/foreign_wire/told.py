"""What the command line says of the same question."""

import asyncio
import json
import os

BINARY, NODE = os.environ["TESSERA_BINARY"], os.environ["TESSERA_NODE"]  # the program; the folder of `tessera dev`
HOST, PORT = os.environ["TESSERA_LISTEN"].rsplit(":", 1)
CERTIFICATE = f"{NODE}/data/certificate.pem"


async def run(*words, profile=NODE, stdin=None, **flags):
    """(exit code, JSON answer) of `tessera WORDS --json`; a flag that is None is left out."""
    arguments = [*words, "--json", "--profile", profile]
    for name, value in flags.items():
        if value is not None:
            arguments += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
    child = await asyncio.create_subprocess_exec(
        BINARY,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if not k.startswith("TESSERA_")},
    )
    out, complaint = await child.communicate(stdin.encode() if stdin else None)
    assert out, f"{arguments}: {child.returncode} {complaint.decode()}"
    return child.returncode, json.loads(out)


async def done(*words, **flags):
    """The answer to what must succeed."""
    code, answer = await run(*words, **flags)
    assert code in (0, 1) and answer["ok"], f"{words}: {answer}"
    return answer


async def refused(*words, **flags):
    """The code of what must be refused."""
    _, answer = await run(*words, **flags)
    assert not answer["ok"], f"{words}: {answer}"
    return answer["error"]["code"]


def same(what, ours, theirs):
    """One question, two answers."""
    assert ours == theirs, f"{what}: the wire says {ours!r}, the command line {theirs!r}"


def kept(text, path):
    """A secret in a file that the command line takes."""
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600), encoding="ascii") as file:
        file.write(text)
    return path


def ms(seconds):
    """A deadline of the wire as the command line tells it."""
    return seconds * 1000 if seconds else None


def until(instant):
    """An instant of the wire as the command line tells it."""
    return None if instant == 2**64 - 1 else instant
