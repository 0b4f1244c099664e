"""Project folders and their git repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def git(folder: Path, *words: str) -> str:
    """Run git as nobody in particular, with no settings of the person's; returns what it printed."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *words], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout.strip()


def home_and_project(base: Path) -> tuple[Path, Path]:
    """Make a home directory and, beside it, the folder of a project; returns both."""
    home, project = base / "home", base / "here"
    home.mkdir()
    (project / ".git").mkdir(parents=True)
    return home, project


def commit(folder: Path) -> str:
    """Commit all there is, in a repository made if need be; returns the first 12 digits."""
    git(folder, "init", "-q")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "c")
    return git(folder, "rev-parse", "HEAD")[:12]
