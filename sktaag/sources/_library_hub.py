"""The only place that talks to the Hugging Face Hub."""

_FILES = ["shards/*.safetensors", "cards/*.jsonl", "steps/*.skops"]


def upload(folder, repo_id, *, private, token, revision):
    """Make a model repository hold the files of a folder; shards that are not in it leave the repository.

    Parameters
    ----------
    folder : path
    repo_id : str
    private : bool
        For a repository that is new.
    token : str or None
    revision : str or None
        Branch.

    Returns
    -------
    url : str
        Of the commit.
    """
    hub = _huggingface_hub()
    api = hub.HfApi(token=token)
    api.create_repo(repo_id, private=private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=repo_id,
        folder_path=folder,
        revision=revision,
        commit_message="Models of a sktaag library",
        allow_patterns=[*_FILES, "README.md"],
        delete_patterns=_FILES,
    )
    return str(commit.commit_url)


def download(repo_id, folder, *, token, revision):
    """Copy the shards and steps of a model repository into a folder.

    Parameters
    ----------
    repo_id : str
    folder : path
    token : str or None
    revision : str or None
        Branch, tag or commit.
    """
    hub = _huggingface_hub()
    hub.snapshot_download(repo_id, revision=revision, local_dir=folder, token=token, allow_patterns=_FILES)


def _huggingface_hub():
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError("push and pull need huggingface_hub: pip install 'sktaag[hub]'.") from error
    return huggingface_hub
