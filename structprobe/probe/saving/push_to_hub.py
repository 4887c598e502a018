"""Upload fitted probes to the Hugging Face hub."""

from __future__ import annotations

from structprobe.errors import ProbeError
from structprobe.probe.saving.save_load import (
    HUB_ID,
    SavedProbe,
    first_line,
    hub_errors,
    write_files,
)


def push(
    probe: SavedProbe,
    repo_id: str,
    *,
    private: bool = False,
    token: str | None = None,
    revision: str | None = None,
    commit_message: str = "Upload a structural probe",
) -> str:
    """Upload a fitted probe to the hub, in one commit."""
    from huggingface_hub import CommitOperationAdd, HfApi

    if not HUB_ID.fullmatch(repo_id):
        raise ProbeError(f"{repo_id!r} is not a hub id", hint="use the form 'owner/name'")
    files = write_files(probe)
    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=commit_message,
            revision=revision,
        )
    except hub_errors() as error:
        raise ProbeError(f"cannot upload to {repo_id!r}: {first_line(error)}") from error
    return str(commit.commit_url)
