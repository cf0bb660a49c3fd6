"""Says on the standard output, as JSON, what the part handler on the standard input is."""

import json
import os
import sys
import types

answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # What the module prints is for the log.

module = types.ModuleType("part_handler")
sys.modules[module.__name__] = module
exec(compile(sys.stdin.buffer.read(), "part-handler", "exec"), module.__dict__)
if not callable(module.handle_part):
    raise TypeError("handle_part is no function")
frequency = getattr(module, "frequency", "once-per-instance")
calls = {"always": "always", "once-per-instance": "instance"}
json.dump(
    {
        "types": [str(name) for name in module.list_types()],
        "calls": calls.get(frequency, "never") if isinstance(frequency, str) else "never",
    },
    answer,
)
answer.close()
