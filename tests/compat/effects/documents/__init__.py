"""The documents, by theme. Each is what an instance was launched with, on a tree that was prepared."""

import importlib
import pkgutil


def all_documents():
    found = []
    for theme in pkgutil.iter_modules(__path__, f"{__name__}."):
        found += importlib.import_module(theme.name).DOCUMENTS
    names_seen = [document["name"] for document in found]
    doubled = {name for name in names_seen if names_seen.count(name) > 1}
    assert not doubled, f"documents of one name: {doubled}"
    return found
