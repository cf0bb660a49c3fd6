//! Which distribution the image is, by os-release(5).

use std::path::Path;

use contract::machine::Probe;

/// `ID` of /etc/os-release: `debian`, `amzn`; empty if it does not say.
pub(crate) fn id(probe: &dyn Probe) -> String {
    let text = probe.read(Path::new("/etc/os-release")).ok().flatten();
    let text = text.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let id = text.lines().find_map(|line| line.strip_prefix("ID="));
    id.unwrap_or("").trim().trim_matches(['"', '\'']).to_owned()
}

/// Red Hat's family. Source: cloud-init, the distributions of `cloudinit/distros/` that inherit
/// from `rhel.py`.
pub(crate) fn is_red_hat_like(probe: &dyn Probe) -> bool {
    let ids = [
        "rhel",
        "amzn",
        "fedora",
        "centos",
        "rocky",
        "almalinux",
        "ol",
        "eurolinux",
        "cloudlinux",
    ];
    ids.contains(&id(probe).as_str())
}
