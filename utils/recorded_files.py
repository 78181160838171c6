"""Files whose digests a manifest holds, so that a changed or swapped file is never read as if it were the one written.

`manifest.json` is sealed: it holds a digest of its own contents too. Its `files` gives the SHA-256 of each file by its
path below the folder. While a file is being replaced, two digests stand there: a process that is killed at any moment
leaves the old or the new file, and both are known.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files import atomic_file, digest_file, read_json, write_json

MANIFEST = "manifest.json"
FILES, SEAL = "files", "digest"  # keys of a manifest


class RecordedFiles:
    """The files below a folder that has a manifest. Only one process at a time may write them.

    Args:
        folder: of the manifest.
        remedy: what a user does about a damaged file; it ends messages.
    """

    def __init__(self, folder: Path, remedy: str) -> None:
        self.folder = folder
        self.remedy = remedy

    def manifest(self) -> dict[str, Any]:
        """The contents of the manifest; none if there is no manifest.

        Raises:
            UserError: it is damaged.
        """
        path = self.folder / MANIFEST
        return read_sealed(path, self.remedy) if path.exists() else {}

    @contextlib.contextmanager
    def write(self, path: Path) -> Iterator[Path]:
        """Give a temporary path, as `atomic_file` does, and record the digest of what was written there.

        Raises:
            UserError: the file or the manifest cannot be written, or the manifest is damaged.
        """
        name, manifest = self._name(path), self.manifest()
        files = manifest.get(FILES, {})
        with atomic_file(path) as temporary:
            yield temporary
            digest = digest_file(temporary)
            self._save(manifest, files | {name: sorted({digest, *files.get(name, [])})})
        self._save(manifest, files | {name: [digest]})

    def write_json(self, path: Path, value: Any) -> None:
        """Write indented JSON and record its digest."""
        with self.write(path) as temporary:
            temporary.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    def check(self, path: Path) -> None:
        """Check that a file is the one that was written. Nothing is checked without a manifest or if it records no
        files, as in an earlier version.

        Raises:
            UserError: it is missing, was changed, or is not recorded.
        """
        manifest = self.manifest()
        if FILES not in manifest:
            return
        if not path.is_file():
            raise UserError(f"{path}: no such file; {self.remedy}")
        if digest_file(path) not in manifest[FILES].get(self._name(path), []):
            raise UserError(f"{path}: damaged or cut short, or not the file that {MANIFEST} records; {self.remedy}")

    def record(self, contents: dict[str, Any], written: Iterable[Path] = ()) -> None:
        """Replace the contents of the manifest and keep the digests of the files.

        Args:
            contents: all but the digests.
            written: files that were written without a record, because there was no manifest.
        """
        files = self.manifest().get(FILES, {})
        self._save(contents, files | {self._name(path): [digest_file(path)] for path in written})

    def _save(self, contents: dict[str, Any], files: dict[str, list[str]]) -> None:
        write_sealed(self.folder / MANIFEST, contents | {FILES: files})

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def write_sealed(path: Path, value: dict[str, Any]) -> None:
    """Write JSON with a digest of its contents."""
    contents = {key: one for key, one in value.items() if key != SEAL}
    write_json(path, contents | {SEAL: _digest(contents)})


def read_sealed(path: Path, remedy: str) -> dict[str, Any]:
    """Read what `write_sealed` wrote, without the digest. JSON without a digest, of an earlier version, is read too.

    Raises:
        UserError: the file is missing, damaged or changed; the message ends in `remedy`.
    """
    found = read_json(path, remedy)
    if not isinstance(found, dict):
        raise UserError(f"{path}: damaged (not a JSON object); {remedy}")
    seal = found.pop(SEAL, None)
    if (seal is not None or FILES in found) and seal != _digest(found):
        raise UserError(f"{path}: damaged, or changed after it was written; {remedy}")
    return found


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8")).hexdigest()
