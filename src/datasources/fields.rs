//! The fields that data sources share: what a text may be, and what to do when it is not.

use std::net::Ipv4Addr;

use contract::name::{AuthorizedKey, BadName, Hostname};

/// A host name as a cloud gives it; an IPv4 address becomes `ip-10-0-0-1`. Source of that rule:
/// cloud-init, `get_hostname` of `cloudinit/sources/__init__.py`.
pub(crate) fn hostname(text: &str) -> Result<Hostname, BadName> {
    let text = text.trim();
    if text.parse::<Ipv4Addr>().is_ok() {
        return format!("ip-{}", text.replace('.', "-")).parse();
    }
    text.parse()
}

/// The keys of a text of one key a line; lines that hold none are warned of.
pub(crate) fn public_keys(
    text: &str,
    item: &str,
    keys: &mut Vec<AuthorizedKey>,
    warnings: &mut Vec<String>,
) {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.parse::<AuthorizedKey>() {
            Ok(key) if keys.contains(&key) => {}
            Ok(key) => keys.push(key),
            Err(error) => warnings.push(format!("{item}: line {} is {error}", index + 1)),
        }
    }
}
