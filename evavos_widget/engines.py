"""Stages by name: the one place where a name becomes an engine.

A name is that of an engine of the package, as each stage has them in a table in its own room; one
that was given with `register`; or ``"package.module:Class"``, which is imported from wherever
Python finds the module, the working directory included. Names of the package go first. What
follows a colon after any of them, as in ``"compact:mine.safetensors"`` or
``"package.module:Class:mine.safetensors"``, is the first argument of the engine's class.

Rooms and modules are imported when a name is asked for, so that they stay above this module.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from importlib import import_module, invalidate_caches
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from evavos_widget.checkpoints import WeightsError
from evavos_widget.contract import require

__all__ = [
    "EXTRAS",
    "ORACLES",
    "STAGES",
    "MissingExtraError",
    "Oracle",
    "Shared",
    "accepts",
    "argument",
    "create",
    "create_or_fall_back",
    "engine_class",
    "identity",
    "names",
    "register",
    "share",
    "source",
    "source_files",
    "weights",
]

PACKAGE = __name__.partition(".")[0]

STAGES = {
    "propagator": f"{PACKAGE}.propagation",
    "predictor": f"{PACKAGE}.mask_prediction",
    "frame_selector": f"{PACKAGE}.frame_selection",
    "annotation_selector": f"{PACKAGE}.annotation_selection",
    "point_selector": f"{PACKAGE}.point_selection",
}
"""By stage, the package that has its table ``ENGINES``: name -> ``"module:Class"``."""

ORACLES = {
    "frame_selector": {
        "oracle-impact": f"{PACKAGE}.experiments.oracles:LargestImpact",
        "oracle-video": f"{PACKAGE}.experiments.oracles:BestForVideo",
        "oracle-worst": f"{PACKAGE}.experiments.oracles:WorstFrame",
    },
    "annotation_selector": {
        "oracle": f"{PACKAGE}.experiments.oracles:GainPerSecond",
        "oracle-video": f"{PACKAGE}.experiments.oracles:BestTypeForVideo",
    },
}
"""By stage, the engines that know the truth, which live where there is one: name ->
``"package.module:Class"``."""

EXTRAS = {
    "cutie": "cutie",
    "huggingface_hub": "hub",
    "omegaconf": "cutie",
    "timm": "hub",
    "transformers": "hub",
}
"""By package that an engine imports, the optional part of this one that brings it."""

_registered: dict[tuple[str, str], str | type] = {}
"""By stage and name, what `register` was given: ``"package.module:Class"``, or a class that no
module offers by its name."""


class MissingExtraError(ImportError):
    """A package of an optional part is not installed; the message says how to install it."""


class Oracle:
    """A selector that knows the truth: an upper bound for experiments, never for people.

    `create` makes a class that derives from this one only with a robot annotator, which a loop of
    an experiment has and a person's session has not.

    Parameters
    ----------
    robot : evavos_widget.robot.annotator.RobotAnnotator
        The annotator of the loop, which has the truth.

    Attributes
    ----------
    session : Session or None
        `evavos_widget.session.Session` of the loop, set before anything is asked.
    scored : frozenset of int or None
        The frames that count, set with it; None: all.
    """

    tries = False
    """Whether it tries what it may choose, which takes longer than choosing."""

    def __init__(self, robot: Any) -> None:
        self.robot = robot
        self.session: Any = None
        self.scored: frozenset[int] | None = None


def register(stage: str, name: str, engine: str | type) -> None:
    """Give an engine a name, in this process and in those of an experiment that it starts.

    A name that was registered before means the new engine from now on.

    Parameters
    ----------
    stage : str
        A key of `STAGES`.
    name : str
        Without a colon; none of the package's own.
    engine : str or class
        ``"package.module:Class"``, imported when it is asked for, or the class itself.

    Raises
    ------
    ValueError
        There is no such stage, the name is taken or has a colon, or `engine` is neither.

    Examples
    --------
    >>> from evavos_widget.testing import NearestCopy
    >>> register("propagator", "nearest-copy", NearestCopy)
    >>> "nearest-copy" in names("propagator")
    True
    """
    what = _words(stage)
    if not name or ":" in name:
        raise ValueError(f"{name!r} cannot name a {what}; give some letters without a colon.")
    if name in _built_in(stage):
        raise ValueError(f"the {what} {name!r} is one of the package's own; give another name.")
    if isinstance(engine, type):
        importable = engine.__module__ != "__main__" and "<locals>" not in engine.__qualname__
        _registered[stage, name] = (
            f"{engine.__module__}:{engine.__qualname__}" if importable else engine
        )
        return
    module, _, class_name = engine.partition(":") if isinstance(engine, str) else ("", "", "")
    if not (_dotted(module) and _dotted(class_name)):
        raise ValueError(
            f"the {what} {name!r} is registered as {engine!r}; give 'package.module:Class' or a "
            "class."
        )
    _registered[stage, name] = engine


def names(stage: str, *, oracles: bool = False) -> list[str]:
    """The names that a stage knows, those of its oracles only if they are asked for."""
    own = set(_built_in(stage)) - (set() if oracles else set(ORACLES.get(stage, ())))
    return sorted(own | {name for where, name in _registered if where == stage})


def create(stage: str, engine: Any, *, robot: Any = None, **options: Any) -> Any:
    """The engine called `engine` of a stage; an object that is not a name is passed through.

    Parameters
    ----------
    stage : str
        A key of `STAGES`.
    engine : str or object
        A name such as ``"flow"``, ``"compact:free"`` or ``"package.module:Class"``, see the top
        of this module, or an object that follows the stage's protocol.
    robot : RobotAnnotator, optional
        Knows the truth; oracles are made only with one.
    **options
        Passed to the engine's class.

    Raises
    ------
    ValueError
        The stage does not know the name (the message lists the names it knows), its module
        cannot be imported or has no such class, the class does not take what follows the colon,
        or it is an oracle and there is no robot.
    TypeError
        The engine offers less than its stage needs, see `evavos_widget.contract`.
    MissingExtraError
        The engine is in an optional part that is not installed.

    Examples
    --------
    >>> create("propagator", "flow").name
    'flow'
    >>> create("frame_selector", "nearest")
    Traceback (most recent call last):
    ValueError: there is no frame selector 'nearest'; choose from ...
    """
    if not isinstance(engine, str):
        require(stage, engine)
        return engine
    made_from = engine_class(stage, engine, oracles=robot is not None)
    variant = argument(stage, engine)
    given = [variant] if variant else []
    if issubclass(made_from, Oracle):
        if robot is None:
            raise ValueError(
                f"the {_words(stage)} {engine!r} knows the truth, so that only an experiment may "
                f"use it; choose from {names(stage)}."
            )
        given = [robot, *given]
    try:
        with _naming_the_extra(stage, engine):
            made = made_from(*given, **options)
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):  # one that says more already
            raise
        told = str(error).rstrip(".")
        raise ValueError(f"the {_words(stage)} {engine!r} cannot be made: {told}.") from error
    require(stage, made)
    return made


def create_or_fall_back(
    stage: str, engine: Any, device: str | None = None, **options: Any
) -> tuple[Any, str | None]:
    """As `create`, but an engine that lacks usable weights or a package is replaced.

    Parameters
    ----------
    stage, engine : as for `create`
    device : str, optional
        Where it runs, if it is an engine that can choose.
    **options
        Passed to the engine's class, and to the fallback's, where they take them.

    Returns
    -------
    engine : object
        The engine asked for, or the stage's fallback, which needs no weights.
    sentence : str or None
        Why the fallback does the work, if it does.
    """
    try:
        if device is not None:
            options["device"] = device
        return create(stage, engine, **_taken(stage, engine, options)), None
    except (WeightsError, MissingExtraError) as error:
        fallback = import_module(STAGES[stage]).FALLBACK
        return (
            create(stage, fallback, **_taken(stage, fallback, options)),
            f"the {_words(stage)} is {fallback!r}, not {engine!r}: {error}",
        )


def _taken(stage: str, engine: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that the class of a name takes."""
    if not isinstance(engine, str):
        return {}
    return {name: value for name, value in options.items() if accepts(stage, engine, name)}


def engine_class(stage: str, engine: str, *, oracles: bool = True) -> type:
    """The class that a name means.

    Parameters
    ----------
    stage, engine : str
        As for `create`.
    oracles : bool
        Whether the names of oracles are told where `engine` is none.

    Raises
    ------
    ValueError, MissingExtraError
        As for `create`.
    """
    home, _ = _look_up(stage, engine, oracles)
    if isinstance(home, type):
        return home
    module_name, _, class_name = home.partition(":")
    if _is_own(home):
        with _naming_the_extra(stage, engine):
            module = import_module(module_name)
    else:
        module = _import_outside(stage, engine, module_name, oracles)
    try:
        found = reduce(getattr, class_name.split("."), module)
    except AttributeError as error:
        raise ValueError(
            f"there is no {_words(stage)} {engine!r}: {module.__file__ or module_name} has no "
            f"{class_name!r}; check the name of the class."
        ) from error
    if not isinstance(found, type):
        raise ValueError(f"the {_words(stage)} {engine!r} is no class; name a class.")
    return found


def argument(stage: str, engine: str) -> str:
    """What follows the name of an engine: ``"free"`` of ``"compact:free"``; empty if nothing."""
    return _look_up(stage, engine)[1]


def accepts(stage: str, engine: str, option: str) -> bool:
    """Whether the class of a name has an option, which the name itself does not give already."""
    parameters = list(signature(engine_class(stage, engine)).parameters)
    return option in parameters[1 if argument(stage, engine) else 0 :]


def identity(engine: Any) -> str:
    """What tells an engine from others in what is kept on disk, where a name does not suffice.

    Parameters
    ----------
    engine : str or object
        A name, or an engine of any stage.

    Returns
    -------
    str
        A name as it is. Of an object its name and a digest of its class and all that it holds:
        two that were made alike have the same. One that cannot be written down, since it holds a
        lock or a function, shares what was found with it with none, not even in a later process.

    Examples
    --------
    >>> from evavos_widget.point_selection.at_random import Random
    >>> identity(Random(seed=1)) == identity(Random(seed=1))
    True
    >>> identity(Random(seed=1)) == identity(Random(seed=2))
    False
    """
    if isinstance(engine, str):
        return engine
    try:
        held = pickle.dumps(engine, protocol=5)
    except Exception:  # whatever the engine's own parts raise
        held = uuid.uuid4().bytes
    return f"{engine.name} {hashlib.blake2b(held, digest_size=16).hexdigest()}"


def weights(stage: str, engine: str) -> Path | None:
    """The file that follows the name of an engine, as in ``"compact:~/mine.safetensors"``."""
    file = Path(argument(stage, engine)).expanduser()
    return file if file.is_file() else None


def source(stage: str, engine: str) -> Path | None:
    """Where the code of an engine is that is not the package's own.

    Returns
    -------
    Path or None
        Its module, or the folder of the outermost package that this is in; None for the package's
        own, and for a class of a notebook.
    """
    if _is_own(_look_up(stage, engine)[0]):
        return None
    try:
        code = Path(inspect.getfile(engine_class(stage, engine)))
    except (OSError, TypeError):  # a class of a notebook
        return None
    while (code.parent / "__init__.py").exists():
        code = code.parent
    return code


def source_files(code: Path) -> list[Path]:
    """A module itself, or what a package's folder has of code and weights, sorted."""
    below = code.rglob("*") if code.is_dir() else [code]
    return sorted(file for file in below if file.suffix in (".py", ".safetensors"))


@dataclass(frozen=True)
class Shared:
    """What another process needs to find the same engines by the same names, see `share`.

    Parameters
    ----------
    registered : mapping of (stage, name) to str or class
    folders : tuple of str
        Where modules were imported from.
    """

    registered: Mapping[tuple[str, str], str | type]
    folders: tuple[str, ...]

    def adopt(self) -> None:
        """Find engines in this process as in the one that shares them."""
        _registered.update(self.registered)
        sys.path.extend(folder for folder in self.folders if folder not in sys.path)


def share(engines: Iterable[tuple[str, str]]) -> Shared:
    """What another process needs to find these engines by their names.

    Parameters
    ----------
    engines : iterable of (stage, name)

    Raises
    ------
    ValueError
        As for `create`, or one is a class that another process cannot import.
    """
    registered: dict[tuple[str, str], str | type] = {}
    folders: dict[str, None] = {}
    for stage, engine in engines:
        name, home = engine.partition(":")[0], _look_up(stage, engine)[0]
        if (stage, name) in _registered:
            registered[stage, name] = home
        if isinstance(home, type):
            # The file of a script is run again in other processes, under another name.
            if "<locals>" in home.__qualname__ or not hasattr(sys.modules["__main__"], "__file__"):
                raise ValueError(
                    f"the {_words(stage)} {engine!r} is a class of a notebook or of a function, "
                    "which other processes cannot import; put it into a file of its own and "
                    f"register 'module:{home.__name__}'."
                )
        elif not _is_own(home):
            engine_class(stage, engine)
            top = sys.modules[home.partition(":")[0].partition(".")[0]]
            folders |= {str(Path(place).resolve()): None for place in _places(top)}
    return Shared(registered, tuple(folders))


def _places(module: ModuleType) -> list[Path]:
    """The folders that a module or package lies in."""
    if hasattr(module, "__path__"):
        return [Path(folder).parent for folder in module.__path__]
    return [Path(module.__file__).parent] if module.__file__ else []


def _words(stage: str) -> str:
    """The stage in a sentence."""
    if stage not in STAGES:
        raise ValueError(f"there is no stage {stage!r}; choose from {sorted(STAGES)}.")
    return stage.replace("_", " ")


def _built_in(stage: str) -> dict[str, str]:
    """Of the package's own engines of a stage: name -> ``"package.module:Class"``."""
    room = import_module(STAGES[stage])
    own = {name: f"{room.__name__}.{home}" for name, home in room.ENGINES.items()}
    return own | ORACLES.get(stage, {})


def _look_up(stage: str, engine: str, oracles: bool = True) -> tuple[str | type, str]:
    """What a name stands for, ``"package.module:Class"`` or a class, and what follows it."""
    name, _, rest = engine.partition(":")
    built_in = _built_in(stage)
    if name in built_in:
        return built_in[name], rest
    if (stage, name) in _registered:
        return _registered[stage, name], rest
    class_name, _, given = rest.partition(":")
    if _dotted(name) and _dotted(class_name):
        return f"{name}:{class_name}", given
    raise ValueError(f"there is no {_words(stage)} {engine!r}; {_choices(stage, oracles)}.")


def _choices(stage: str, oracles: bool) -> str:
    return f"choose from {names(stage, oracles=oracles)}, or give 'package.module:Class'"


def _dotted(name: str) -> bool:
    """Whether it is an identifier, or several with dots between them."""
    return all(part.isidentifier() for part in name.split("."))


def _is_own(home: str | type) -> bool:
    """Whether it is one of this package's engines."""
    return isinstance(home, str) and home.partition(".")[0] == PACKAGE


def _import_outside(stage: str, engine: str, module: str, oracles: bool) -> ModuleType:
    """Import a module of somebody else, which may lie in the working directory."""
    what = _words(stage)
    if os.getcwd() not in sys.path:  # the command's own folder is there in its place
        sys.path.append(os.getcwd())
    invalidate_caches()  # the file may be new
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(f"{missing}."):
            raise ValueError(
                f"there is no {what} {engine!r}: no module {missing!r} is in the working directory "
                f"or on PYTHONPATH; {_choices(stage, oracles)}."
            ) from error
        raise ValueError(
            f"the {what} {engine!r} needs the package {missing!r}, which is not installed; "
            "install it."
        ) from error
    except Exception as error:  # whatever it is, it is somebody else's code
        raise ValueError(
            f"the {what} {engine!r} cannot be imported: {type(error).__name__}: {error}."
        ) from error


@contextmanager
def _naming_the_extra(stage: str, engine: str) -> Iterator[None]:
    """Say which optional part brings a package that is missing."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if not package:  # transformers tells the name of what it misses in words alone
            package = next((name for name in EXTRAS if name in str(error)), "")
        if package not in EXTRAS:
            raise
        missing = isinstance(error, ModuleNotFoundError)
        state = "not installed" if missing else "not installed or too old"
        how = "install" if missing else "install --upgrade"
        raise MissingExtraError(
            f"the {_words(stage)} {engine!r} needs the package {package!r}, which is "
            f"{state}; run: pip {how} 'evavos-widget[{EXTRAS[package]}]'"
        ) from error
