"""What an overlay's upper directory says that has become of the files below it."""

import hashlib
import os
import stat

TEXT_LIMIT = 256 * 1024
OPAQUE = "trusted.overlay.opaque"


def changes(upper, lower):
    """Each path that was added, changed or removed, without what was only touched."""
    found = {}
    for folder, names, files in os.walk(upper):
        for name in [*names, *files]:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, upper)
            before = described_first(lower, relative)
            after = described(path)
            if after is None:
                if before is not None:
                    found[relative] = {"was": "there", "type": "removed"}
            elif after != before:
                found[relative] = {"was": "there" if before else "absent", **after}
            if name in names and is_opaque(path):
                found.update(removed_below(path, lower, relative))
    return found


def is_opaque(path):
    """Whether the directory replaces the one below it instead of adding to it."""
    try:
        return os.getxattr(path, OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


def removed_below(path, lower, relative):
    for layer in lower:
        for folder, names, files in os.walk(layer / relative):
            for name in [*names, *files]:
                below = os.path.relpath(os.path.join(folder, name), layer / relative)
                if not os.path.lexists(os.path.join(path, below)):
                    yield os.path.join(relative, below), {"was": "there", "type": "removed"}


def described_first(layers, relative):
    """What was there: that of the highest layer which has the path."""
    for layer in layers:
        if os.path.lexists(layer / relative):
            return described(layer / relative)
    return None


def described(path):
    """Type, mode, owner and content; None for the mark of a removed file."""
    found = os.lstat(path)
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        return None
    said = {"mode": "%04o" % stat.S_IMODE(found.st_mode), "owner": "%d:%d" % (found.st_uid, found.st_gid)}
    if stat.S_ISLNK(found.st_mode):
        return {"type": "link", "owner": said["owner"], "content": os.readlink(path)}
    if stat.S_ISDIR(found.st_mode):
        return {"type": "directory", **said}
    if not stat.S_ISREG(found.st_mode):
        return {"type": "special", **said}
    with open(path, "rb") as file:
        content = file.read(TEXT_LIMIT + 1)
    try:
        if len(content) > TEXT_LIMIT:
            raise ValueError
        return {"type": "file", **said, "content": content.decode()}
    except ValueError:
        with open(path, "rb") as file:
            return {"type": "file", **said, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
