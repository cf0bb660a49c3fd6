"""Images with firstlight in them, booted: in a container, and in a virtual machine."""
