"""Weights, those that come with the package and those to be downloaded: hash, terms, place."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evavos_widget.downloads import fetch
from evavos_widget.files import cache_folder, exclusive, replacing

__all__ = [
    "AGENTS",
    "CHECKPOINTS",
    "DOWNLOADS",
    "GROUNDERS",
    "HUB",
    "Checkpoint",
    "Download",
    "HubModel",
    "WeightsError",
    "download",
    "expected_sha256",
    "find",
    "hub_folder",
    "place",
    "shipped",
    "verify",
    "weights_file",
]

FOLDER = Path(__file__).parent / "weights"


class WeightsError(ValueError):
    """Weights are missing, damaged or of something else; the message says which, and the remedy."""


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights.

    Parameters
    ----------
    file : str
        Its name in the package's folder of weights.
    sha256 : str
        Of the file, in hexadecimal.
    licence : str
        Under which terms the weights may be used.
    notice : str, optional
        What everybody who uses them is told.
    """

    file: str
    sha256: str
    licence: str
    notice: str | None = None


@dataclass(frozen=True)
class Download:
    """A file of weights that others publish.

    Parameters
    ----------
    file : str
        Its name in the folder of downloaded weights.
    url : str
        Where it is published.
    size : int or None
        In bytes, as the publisher shows it; for people. None where nobody does.
    sha256 : str or None
        In hexadecimal. None where the publisher gives none: then that of the first download
        is recorded, and from then on the file must have it.
    licence : str
        As the publisher states it.
    trained : str
        On what, and by whom.
    """

    file: str
    url: str
    size: int | None
    sha256: str | None
    licence: str
    trained: str


@dataclass(frozen=True)
class HubModel:
    """A folder of the Hugging Face hub, as ``transformers`` reads it.

    Parameters
    ----------
    repository : str
        Its name on the hub.
    size : int
        Of the weights, in bytes, about: four for each parameter; for people.
    licence : str
        As the publisher states it.
    trained : str
        On what, and by whom.
    """

    repository: str
    size: int
    licence: str
    trained: str

    @property
    def url(self) -> str:
        """Where people find it."""
        return f"https://huggingface.co/{self.repository}"


_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
_SA1B = "SA-1B (Kirillov et al. 2023)"
_CUTIE = "https://github.com/hkchengrex/Cutie/releases/download/v1.0/"
_RANA = "MIT (the authors' repository, amitrana001/DynaMITe)"
_COCO_LVIS = "COCO and LVIS (Rana et al. 2023)"
_MEGA = "static images, YouTube-VOS, DAVIS, MOSE, OVIS and BURST (Cheng et al. 2024)"
_SAV = "SA-1B, SA-V and videos of Meta's own (Ravi et al. 2024)"

CHECKPOINTS: Mapping[str, Checkpoint] = {
    "free": Checkpoint(
        "compact-free.safetensors",
        "5e6e4fb3815c06276a64d022dfb084d2ae1a47b1835e79e71eeb2de4f9dfa6ae",
        "MIT; trained on Clothing Co-Parsing (Apache-2.0), COCO photographs and Oxford-IIIT Pet "
        "(CC BY-SA 4.0)",
    ),
    "davis": Checkpoint(
        "compact-davis.safetensors",
        "73713853101f7fd7ad601e8dd4073ce8864edd28233a2f598436c17a02ef1b67",
        "CC BY-NC 4.0, as DAVIS-2016, on which they were trained beside the data of `free` and "
        "photographs for research",
        "the weights 'davis' were trained on DAVIS videos, whose terms are non-commercial; "
        "name the engine 'compact:free' for other uses (docs/model_card.md).",
    ),
}
"""With the package, by name."""

_AGENT_TERMS = "MIT; trained on DAVIS-2016 train, whose videos are for non-commercial use"
_POLICY_TERMS = (
    f"{_AGENT_TERMS}, and on made videos of Oxford-IIIT Pet (CC BY-SA 4.0), Clothing Co-Parsing "
    "(Apache-2.0) and photographs of COCO128"
)
_AGENT_NOTICE = (
    "the agents were trained on DAVIS videos, whose terms are non-commercial; the selectors "
    "'farthest-in-time' and 'rule' were not trained (docs/agent.md)."
)

AGENTS: Mapping[str, Checkpoint] = {
    "agent:ivosw": Checkpoint(
        "agent-ivosw.safetensors",
        "74b2e5dd7e14c7ebab286ca135e61e4a7563cf5555dfe6e34a23c04c28535e34",
        _AGENT_TERMS,
        _AGENT_NOTICE,
    ),
    "agent:joint": Checkpoint(
        "agent-joint.safetensors",
        "50f44464aad8452ffe922111da14817fe5595132b0848a7ff08bb76fdb7f04a6",
        _AGENT_TERMS,
        _AGENT_NOTICE,
    ),
    "agent:policy": Checkpoint(
        "agent-policy.safetensors",
        "9a8e73516735796405386746fee3a614fc4f12a5d607bcb308528931401130a0",
        _POLICY_TERMS,
        _AGENT_NOTICE,
    ),
    "agent:qnet": Checkpoint(
        "agent-qnet.safetensors",
        "f9bfd645d17f1a35bdedeb40bdf363ad7f0f040a66cf7694a5e25e764c53a81e",
        _AGENT_TERMS,
        _AGENT_NOTICE,
    ),
}
"""Agents with the package, by name: ``agent:`` and what they are."""

GROUNDERS: Mapping[str, Checkpoint] = {
    "rf-vng": Checkpoint(
        "rf-vng.safetensors",
        "af66592936c6bcbf89f0a2a901051e5a38c0fee7010d1e77a8fc7c254f17a29f",
        "MIT; trained on made videos of Oxford-IIIT Pet (CC BY-SA 4.0), Clothing Co-Parsing "
        "(Apache-2.0) and photographs of COCO128",
    ),
}
"""With the package: what finds the nouns of a caption, by name."""

DOWNLOADS: Mapping[str, Download] = {
    "stcn": Download(
        "stcn.pth",
        _DRIVE + "1mRrE0uCI2ktdWlUgapJI_KmgeIiF2eOm",
        218_000_000,
        None,
        "MIT (the authors' repository, hkchengrex/STCN)",
        "static images, BL30K, YouTube-VOS and DAVIS (Cheng et al. 2021)",
    ),
    "stcn:fusion": Download(
        "fusion_stcn.pth",
        _DRIVE + "1MAbWHrOjlze9vPQdW-HxMnvjPpaZlfLv",
        164_000,
        None,
        "MIT (the authors' repository, hkchengrex/MiVOS, branch MiVOS-STCN)",
        "BL30K, YouTube-VOS and DAVIS (Cheng et al. 2021)",
    ),
    "sam:vit_b": Download(
        "sam_vit_b_01ec64.pth",
        _SAM + "sam_vit_b_01ec64.pth",
        375_042_383,
        None,
        "Apache-2.0",
        _SA1B,
    ),
    "sam:vit_l": Download(
        "sam_vit_l_0b3195.pth",
        _SAM + "sam_vit_l_0b3195.pth",
        1_249_524_607,
        None,
        "Apache-2.0",
        _SA1B,
    ),
    "sam:vit_h": Download(
        "sam_vit_h_4b8939.pth",
        _SAM + "sam_vit_h_4b8939.pth",
        2_564_550_879,
        None,
        "Apache-2.0",
        _SA1B,
    ),
    "dynamite:swin-tiny": Download(
        "dynamite_swin_tiny.pth",
        _DRIVE + "14zxbez6JINGQmSo6Vra4S94rwug7JpWK",
        None,
        None,
        _RANA,
        _COCO_LVIS,
    ),
    "dynamite:resnet50": Download(
        "dynamite_resnet50.pth",
        _DRIVE + "1uJkKR7FB6I291-94ToW6hjXtiOmdOfeP",
        None,
        None,
        _RANA,
        _COCO_LVIS,
    ),
    "cutie:base": Download(
        "cutie-base-mega.pth",
        _CUTIE + "cutie-base-mega.pth",
        140_000_000,
        None,
        "MIT (the authors' repository, hkchengrex/Cutie); MOSE is CC BY-NC-SA 4.0",
        _MEGA,
    ),
    "cutie:small": Download(
        "cutie-small-mega.pth",
        _CUTIE + "cutie-small-mega.pth",
        115_000_000,
        None,
        "MIT (the authors' repository, hkchengrex/Cutie); MOSE is CC BY-NC-SA 4.0",
        _MEGA,
    ),
}
"""To be downloaded, by name."""

HUB: Mapping[str, HubModel] = {
    "sam2:tiny": HubModel("facebook/sam2.1-hiera-tiny", 156_000_000, "Apache-2.0", _SAV),
    "sam2:small": HubModel("facebook/sam2.1-hiera-small", 184_000_000, "Apache-2.0", _SAV),
    "sam2:base-plus": HubModel("facebook/sam2.1-hiera-base-plus", 323_000_000, "Apache-2.0", _SAV),
    "sam2:large": HubModel("facebook/sam2.1-hiera-large", 898_000_000, "Apache-2.0", _SAV),
    "sam2:edgetam": HubModel(
        "yonigozlan/EdgeTAM-hf",
        56_000_000,
        "Apache-2.0",
        "SA-1B and SA-V (Zhou et al. 2025); converted from facebookresearch/EdgeTAM",
    ),
}
"""To be downloaded from the hub, by name."""

SIZE_TOLERANCE = 0.25
"""Of files whose hash nobody gave, relative to the size that their publisher shows."""

LEAST_SIZE = 1_000_000
"""Bytes of a file whose size nobody shows: a page that says why there is none is smaller."""

HUB_FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""What is needed of a folder of the hub."""


def shipped() -> Mapping[str, Checkpoint]:
    """All weights that come with the package, by name."""
    return {**CHECKPOINTS, **AGENTS, **GROUNDERS}


def find(name: str) -> Path:
    """The file of the weights called `name`, after its hash was checked.

    Raises
    ------
    WeightsError
        No such weights come with this release, or the file is gone or not the released one.
    """
    if name not in shipped():
        raise WeightsError(
            f"no weights called {name!r} come with this release; give a file with weights=PATH, "
            "or choose an engine that needs none."
        )
    checkpoint = shipped()[name]
    path = FOLDER / checkpoint.file
    if not path.is_file():
        raise WeightsError(f"the weights {path} are missing; install the package again.")
    digest = _sha256(path)
    if digest != checkpoint.sha256:
        raise WeightsError(
            f"the weights {path} are damaged (SHA-256 {digest[:12]}..., not "
            f"{checkpoint.sha256[:12]}...); install the package again."
        )
    return path


def weights_file(weights: str | os.PathLike[str], engine: str | None = None) -> Path:
    """A file by its path, or the weights of `DOWNLOADS` by name, downloaded if they are not there.

    Of an `engine` the name may be given without the engine's before it.

    Raises
    ------
    WeightsError
        There is no such file or name, or it cannot be downloaded, or it is damaged.
    """
    for name in (f"{engine}:{weights}", weights):
        if isinstance(name, str) and name in DOWNLOADS:
            return download(name)
    path = Path(weights).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"there are no weights at {str(path)!r}; check the path, or name some of "
            f"{', '.join(map(repr, DOWNLOADS))}."
        )
    return path


def place(name: str) -> Path:
    """Where the weights called `name` are, or will be once they are downloaded.

    A file, or the folder of a model of `HUB`.

    Raises
    ------
    WeightsError
        No weights have this name.
    """
    if name in shipped():
        return FOLDER / shipped()[name].file
    if name in HUB:
        return cache_folder() / "weights" / HUB[name].repository.replace("/", "--")
    if name not in DOWNLOADS:
        known = sorted([*shipped(), *DOWNLOADS, *HUB])
        raise WeightsError(f"no weights are called {name!r}; choose from {known}.")
    return cache_folder() / "weights" / DOWNLOADS[name].file


def expected_sha256(name: str) -> str | None:
    """The hash that weights must have: published, or that of the first download, if any."""
    if name in shipped():
        return shipped()[name].sha256
    if name in HUB:
        return _recorded().get(f"{place(name).name}/{HUB_FILES[-1]}")
    return DOWNLOADS[name].sha256 or _recorded().get(DOWNLOADS[name].file)


def download(name: str) -> Path:
    """The file of the weights called `name` in `DOWNLOADS`, downloaded if it is not there.

    A download that was interrupted goes on where it stopped. The hash is checked every time.

    Raises
    ------
    WeightsError
        The file cannot be downloaded, or its hash is not the one that it must have.
    """
    path = place(name)
    if not path.is_file():
        url = DOWNLOADS[name].url
        try:
            fetch(url, path)
        except OSError as error:
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            raise WeightsError(
                f"the weights {path.name} cannot be downloaded ({reason}); get them from {url} "
                f"and put them at {path}, or give a file by its path."
            ) from error
        if wrong := _wrong_size(name, path):
            path.unlink()
            raise WeightsError(f"the server sent {wrong}")
    verify(name)
    return path


def verify(name: str) -> str:
    """Check the file of the weights called `name`; returns its SHA-256.

    Where nobody said what it must be, it is recorded.

    Raises
    ------
    WeightsError
        The file is not there, or its hash is not the one that it must have.
    """
    path, expected = place(name), expected_sha256(name)
    key = path.name
    if name in HUB:
        path = path / HUB_FILES[-1]
        key = f"{key}/{path.name}"
    if not path.is_file():
        raise WeightsError(f"the weights {path} are missing; run: evavos models download {name}")
    if expected is None and name in DOWNLOADS and (wrong := _wrong_size(name, path)):
        raise WeightsError(f"there are {wrong}")
    return _enforce(path, expected, key)


def hub_folder(weights: str | os.PathLike[str]) -> Path:
    """A folder that ``transformers`` can read: by its path, or a model of `HUB` by name.

    The latter is downloaded if it is not there. The hash of its weights is recorded at first,
    and from then on they must have it.

    Raises
    ------
    WeightsError
        There is no such folder or name, or it cannot be downloaded, or it is damaged.
    """
    if weights not in HUB:
        folder = Path(weights).expanduser()
        if not folder.is_dir():
            raise WeightsError(
                f"there is no folder {str(folder)!r}; check the path, or name a model of "
                f"{', '.join(map(repr, HUB))}."
            )
        return folder
    model, folder = HUB[str(weights)], place(str(weights))
    if not all((folder / file).is_file() for file in HUB_FILES):
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(model.repository, local_dir=folder, allow_patterns=[*HUB_FILES])
        except Exception as error:  # whatever the hub's transport raises
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            raise WeightsError(
                f"the model {weights!r} cannot be downloaded ({reason}); get "
                f"{', '.join(HUB_FILES)} from {model.url} and put them into {folder}, or give a "
                "folder by its path."
            ) from error
    verify(str(weights))
    return folder


def _wrong_size(name: str, path: Path) -> str | None:
    """What is wrong with a file whose hash nobody gave, so that its hash must not be recorded."""
    entry = DOWNLOADS[name]
    size = path.stat().st_size
    if entry.size is None and size >= LEAST_SIZE:
        return None
    if entry.size is not None and abs(size / entry.size - 1) < SIZE_TOLERANCE:
        return None
    expected = f"{LEAST_SIZE} or more" if entry.size is None else f"about {entry.size}"
    return (
        f"{size} bytes for the weights {path.name}, not {expected}; get them from "
        f"{entry.url} and put them at {path}, or give a file by its path."
    )


def _enforce(path: Path, expected: str | None, key: str) -> str:
    """The SHA-256 of a file, which must be the expected one; else it is recorded under `key`."""
    digest = _sha256(path)
    if expected is None:
        expected = _first_recorded(key, digest)
    if digest != expected:
        raise WeightsError(
            f"the weights {path} are damaged or not the ones that were published (SHA-256 "
            f"{digest[:12]}..., not {expected[:12]}...); remove the file and get it again, or, "
            f"where this is the right one, remove {key!r} from {_records()}."
        )
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _records() -> Path:
    """Hashes of first downloads, by file."""
    return cache_folder() / "weights" / "sha256.json"


def _recorded() -> dict[str, str]:
    """What is recorded; of a file that is torn, nothing."""
    if not _records().is_file():
        return {}
    try:
        return {
            str(key): str(digest)
            for key, digest in json.loads(_records().read_text(encoding="utf-8")).items()
        }
    except (ValueError, AttributeError) as error:
        warnings.warn(
            f"{_records()} cannot be read ({error}); the hashes of weights that nobody published "
            "are recorded anew.",
            stacklevel=2,
        )
        return {}


def _first_recorded(key: str, digest: str) -> str:
    """Record a hash, unless another process has done so meanwhile; the one that holds."""
    with exclusive(_records()):  # who reads and then writes would lose what others write between
        records = _recorded()
        if key not in records:
            records[key] = digest
            with replacing(_records()) as new:
                new.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    return records[key]
