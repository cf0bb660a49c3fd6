"""Calls a part handler as cloud-init does: for the beginning, for each part, and for the end.

Usage: driver.py MODULE JOB
"""

import importlib.util
import json
import pathlib
import sys
import traceback


def main() -> int:
    path, job_path = (pathlib.Path(word) for word in sys.argv[1:])
    job = json.loads(job_path.read_text())
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)

    try:
        version = int(getattr(module, "handler_version", 1))
    except (TypeError, ValueError):
        version = 1
    if version not in (1, 2, 3):
        print(f"there is no handler version {version}", file=sys.stderr)
        return 1

    failed = 0

    def call(content_type, filename=None, payload=None, headers=None):
        nonlocal failed
        arguments = [None, content_type, filename, payload]
        if version >= 2:
            arguments.append(job["frequency"])
        if version >= 3:
            arguments.append({**(headers or {}), "Content-Type": content_type})
        try:
            module.handle_part(*arguments)
        except Exception:
            traceback.print_exc()
            failed += 1

    call("__begin__")
    module.list_types()
    for part in job["parts"]:
        payload = (job_path.parent / part["file"]).read_bytes()
        if part["type"].startswith("text/"):
            payload = payload.decode("utf-8", "surrogateescape")
        call(part["type"], part["filename"], payload, part["headers"])
    call("__end__")
    return 1 if failed else 0


sys.exit(main())
