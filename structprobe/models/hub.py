"""What the hub and its cache know of a model, asked once and without waiting."""

from __future__ import annotations

import re
from pathlib import Path

from structprobe.errors import EncoderError

WAIT = 10  # seconds for an answer of the hub


def find_commit(source: str, revision: str | None, gguf_file: str | None) -> str | None:
    """Find the hub commit of a model in the cache, from where its files lie."""
    if Path(source).exists():
        return None
    from huggingface_hub import try_to_load_from_cache

    for name in (gguf_file, "config.json", "tokenizer_config.json"):
        path = name and try_to_load_from_cache(source, name, revision=revision)
        found = re.search(r"snapshots[/\\]([0-9a-f]{40})[/\\]", str(path))
        if found:
            return found.group(1)
    return None


def refuse_unknown(source: str, revision: str | None, gguf_file: str | None = None) -> None:
    """Refuse a hub id that is neither in the cache nor on the hub, before it is loaded.

    The loaders would try again and again for a name that is misspelt where there is no
    connection, and for each of their files anew: most of a minute.
    """
    if Path(source).exists():
        return
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # Its bases are those of the HTTP library, whichever the hub uses: a dead connection is one.
    dead: tuple[type[BaseException], ...] = (*HfHubHTTPError.__bases__, OSError)
    try:
        if find_commit(source, revision, gguf_file) is None:
            HfApi().model_info(source, revision=revision, timeout=WAIT)
    except (GatedRepoError, HFValidationError):
        return  # the loaders say it well
    except RepositoryNotFoundError as error:
        hint = "check the name; a private model needs a login first: hf auth login"
        raise EncoderError(f"the hub has no model {source!r}", hint=hint) from error
    except RevisionNotFoundError as error:
        hint = "name a branch, a tag or a commit of it"
        raise EncoderError(
            f"the hub has no revision {revision!r} of {source!r}", hint=hint
        ) from error
    except HfHubHTTPError:
        return  # it answers, if oddly: mirrors have the files, but not always this address
    except dead as error:
        raise unreachable(source) from error


def unreachable(source: str) -> EncoderError:
    """Say that a model is not in the cache and cannot be fetched."""
    return EncoderError(
        f"{source!r} is not, or not whole, in the local cache and the hub cannot be reached",
        hint=f"check the name, or fetch it once with a connection: hf download {source}",
    )
