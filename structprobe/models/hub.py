"""Look up models on the hub and in its cache, once and without long waits."""

from __future__ import annotations

import re
from pathlib import Path

from structprobe.errors import EncoderError, near_name
from structprobe.models.embedded import MINILM

WAIT = 10  # seconds for a response of the hub


def find_commit(source: str, revision: str | None, gguf_file: str | None) -> str | None:
    """Find the hub commit of a model in the cache, from the path of its files."""
    if Path(source).exists():
        return None
    from huggingface_hub import try_to_load_from_cache

    for name in (gguf_file, "config.json", "adapter_config.json", "tokenizer_config.json"):
        path = name and try_to_load_from_cache(source, name, revision=revision)
        found = re.search(r"snapshots[/\\]([0-9a-f]{40})[/\\]", str(path))
        if found:
            return found.group(1)
    return None


def refuse_unknown(source: str, revision: str | None, gguf_file: str | None = None) -> None:
    """Reject a hub id that is neither in the cache nor on the hub, before it is loaded.

    For a misspelt name without a connection, the loaders would retry for each of their files, for
    almost a minute.
    """
    if Path(source).exists():
        if revision is not None:
            what = f"revision {revision!r} was given, but {source!r} is a local folder"
            raise EncoderError(what, hint="leave out the revision, or pass a hub id")
        return
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # Its bases are those of the HTTP library that the hub uses, connection errors among them.
    dead: tuple[type[BaseException], ...] = (*HfHubHTTPError.__bases__, OSError)
    try:
        if find_commit(source, revision, gguf_file) is None:
            HfApi().model_info(source, revision=revision, timeout=WAIT)
    except (GatedRepoError, HFValidationError):
        return  # the loaders have good messages for these
    except RepositoryNotFoundError as error:
        what = f"the hub has no model {source!r}{near_name(source, [MINILM])}"
        hint = "check the name; for a private model, log in first: hf auth login"
        raise EncoderError(what, hint=hint) from error
    except RevisionNotFoundError as error:
        what = f"the hub has no revision {revision!r} of {source!r}"
        hint = "pass a branch, a tag or a commit of the model"
        raise EncoderError(what, hint=hint) from error
    except HfHubHTTPError:
        return  # mirrors have the files, but not always this endpoint
    except dead as error:
        raise unreachable(source) from error


def unreachable(source: str) -> EncoderError:
    """Make the error for a model that is not in the cache and cannot be downloaded."""
    return EncoderError(
        f"model {source!r}{near_name(source, [MINILM])}: not a local folder, not fully downloaded "
        "to the Hugging Face cache, and the hub cannot be reached",
        hint=f"check the name, or download it while online: hf download {source}",
    )
