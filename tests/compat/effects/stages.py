"""Runs the stages of cloud-init as its units do, one process after the other.

usage: stages.py        Inside the machine.

They are forked from one that has loaded cloud-init already: loading it is most of what it does.
"""

import importlib
import os
import pkgutil
import sys

import cloudinit.config
from cloudinit.cmd import main

STAGES = [["init", "--local"], ["init"], ["modules", "--mode=config"], ["modules", "--mode=final"]]


def run(stage):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        sys.argv = ["/usr/bin/cloud-init", *stage]
        sys.exit(main.main(sys.argv))
    os.waitpid(child, 0)


for module in pkgutil.iter_modules(cloudinit.config.__path__, "cloudinit.config."):
    if module.name.startswith("cloudinit.config.cc_"):
        importlib.import_module(module.name)
for stage in STAGES:
    run(stage)
