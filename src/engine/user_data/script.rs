//! Parts that are run: their bodies as they are written to a file.

use contract::user_data::PartKind;

use super::decode::unix_lines;

const BOOTHOOK: &[u8] = b"#cloud-boothook";

/// The body of a part that is run as it is written to a file; other parts stay as they are.
///
/// Windows' line ends go if the first line has one. A boothook loses its header if that is spelt
/// exactly so and begins the part. Source: cloud-init, `cloudinit/handlers/boot_hook.py`.
pub(crate) fn body(kind: &PartKind, body: Vec<u8>) -> Vec<u8> {
    match kind {
        PartKind::Script | PartKind::PerBoot | PartKind::PerInstance | PartKind::PerOnce => {
            unix_lines(body)
        }
        PartKind::BootHook => {
            let body = unix_lines(body);
            let rest = body.strip_prefix(BOOTHOOK).unwrap_or(&body);
            rest.trim_ascii_start().to_vec()
        }
        _ => body,
    }
}

/// Why the kernel cannot run such a file, if it cannot, and what to do.
pub(crate) fn flaw(body: &[u8]) -> Option<(&'static str, &'static str)> {
    if body.starts_with(b"#!") || body.starts_with(b"\x7fELF") {
        None
    } else if body.trim_ascii_start().starts_with(b"#!") {
        let flaw = "there is white space before `#!`, so the kernel cannot run it";
        Some((flaw, "remove it"))
    } else {
        let flaw = "it does not begin with `#!`, so the kernel cannot run it";
        Some((flaw, "begin it with a line such as `#!/bin/sh`"))
    }
}
