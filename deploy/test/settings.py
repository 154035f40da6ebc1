"""Whether the server takes the settings that a deployment gives it."""

import os
import pathlib
import subprocess
import tempfile


def check(cerrojo, environment, toml="", files=None):
    """Runs `cerrojo config check` as a container would: its environment, its file of settings, and the files that both name.

    `files` are contents by the path that the container sees.
    """
    with tempfile.TemporaryDirectory() as folder:
        moved = {}
        for name, value in environment.items():
            if value in (files or {}):
                path = pathlib.Path(folder, value.replace("/", "_"))
                path.write_text(files[value])
                path.chmod(0o600)
                value = str(path)
            moved[name] = value
        path = pathlib.Path(folder, "cerrojo.toml")
        path.write_text(toml)
        run = [cerrojo, "config", "show", "--json", "--config", str(path)]
        shown = subprocess.run(run, cwd=folder, env=moved, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, f"{environment}\n{toml}\n{shown.stderr}"
        checked = subprocess.run([*run[:2], "check", *run[4:]], cwd=folder, env=moved, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        return shown.stdout
