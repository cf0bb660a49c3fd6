//! The fields that data sources share: what a text may be, and what to do when it is not.

use std::net::Ipv4Addr;

use contract::datasource::SourceError;
use contract::name::{AuthorizedKey, BadName, Hostname};

/// What is said where user or vendor data is refused because of its size.
pub(crate) fn without_user_data(why: &SourceError) -> String {
    format!(
        "{why}, and nothing of it is used (compress it with gzip, or keep it in a bucket and `#include` it)"
    )
}

/// A host name as a cloud gives it; an IPv4 address becomes `ip-10-0-0-1`. Source of that rule:
/// cloud-init, `get_hostname` of `cloudinit/sources/__init__.py`.
pub(crate) fn hostname(text: &str) -> Result<Hostname, BadName> {
    let text = text.trim();
    if text.parse::<Ipv4Addr>().is_ok() {
        return format!("ip-{}", text.replace('.', "-")).parse();
    }
    text.parse()
}

/// The region that a zone is in: `eu-west-1` of `eu-west-1a`, and `us-west-2` of the Local Zone
/// `us-west-2-lax-1a`. Source: EC2 User Guide, "Regions and Zones".
pub(crate) fn region_of(zone: &str) -> Option<String> {
    let mut end = 0;
    for part in zone.split('-') {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            return zone.get(..end + digits).map(str::to_owned);
        }
        end += part.len() + 1;
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_tells_its_region() {
        #[rustfmt::skip]
        let table = [
            ("eu-west-1a",         Some("eu-west-1")),
            ("us-gov-west-1b",     Some("us-gov-west-1")),
            ("us-west-2-lax-1a",   Some("us-west-2")),
            ("ap-southeast-12c",   Some("ap-southeast-12")),
            ("nowhere",            None),
            ("",                   None),
        ];
        for (zone, region) in table {
            assert_eq!(region_of(zone).as_deref(), region, "{zone}");
        }
    }
}
