"""The documents, one file a theme."""

from . import accounts, commands, field, files, logins, managers, names, state, system
from . import accounts, commands, disks, field, files, logins, names, state, system
from . import accounts, commands, field, files, logins, names, repositories, state, system


def all_documents():
    found = []
    for theme in [accounts, logins, names, files, commands, system, managers, state, field]:
    for theme in [accounts, logins, names, files, commands, system, disks, state, field]:
    for theme in [accounts, logins, names, files, commands, system, repositories, state, field]:
        found += theme.DOCUMENTS
    names_seen = [document["name"] for document in found]
    doubled = {name for name in names_seen if names_seen.count(name) > 1}
    if doubled:
        raise ValueError("documents of one name: %s" % ", ".join(sorted(doubled)))
    return found
