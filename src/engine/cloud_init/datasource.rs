//! What cloud-init calls a data source, its cloud and its host.

use std::net::Ipv4Addr;

use contract::instance::InstanceMetadata;

/// The name of the class, with which `status.json` and the final message name it. EC2's is the one
/// of the local stage, which asks before the network is configured.
///
/// Source: cloud-init, `cloudinit/sources/DataSourceEc2.py` (`DataSourceEc2Local`),
/// `DataSourceNoCloud.py`, `DataSourceNone.py`.
pub(super) fn class(name: &str) -> String {
    let known = match name.to_ascii_lowercase().as_str() {
        "ec2" => "Ec2Local",
        "nocloud" | "seed" => "NoCloud",
        "none" => "None",
        _ => name,
    };
    format!("DataSource{known}")
}

/// `ec2`, `nocloud`, `none`.
pub(super) fn platform(metadata: &InstanceMetadata) -> &str {
    match metadata.platform.as_str() {
        "seed" => "nocloud",
        other => other,
    }
}

/// `aws`, or `unknown`, as of NoCloud and of no data source.
pub(super) fn cloud_name(metadata: &InstanceMetadata) -> &str {
    match platform(metadata) {
        "ec2" => "aws",
        "none" => "none",
        _ => "unknown",
    }
}

/// The cloud and, of AWS, the part of the world: `aws`, `aws-china`, `aws-gov`, `nocloud`.
pub(super) fn cloud_id(metadata: &InstanceMetadata) -> &str {
    let region = metadata.region.as_deref().unwrap_or_default();
    canonical_cloud_id(cloud_name(metadata), region, platform(metadata))
}

/// The same of what instance data says; the region may be empty.
///
/// Source: cloud-init, `cloudinit/sources/__init__.py` (`canonical_cloud_id`).
#[must_use]
pub fn canonical_cloud_id<'a>(cloud: &'a str, region: &str, platform: &'a str) -> &'a str {
    match cloud {
        "aws" if region.starts_with("cn-") => "aws-china",
        "aws" if region.starts_with("us-gov-") => "aws-gov",
        "azure" if region.starts_with("china") => "azure-china",
        "" | "unknown" => platform,
        cloud => cloud,
    }
}

/// Where the metadata is from.
pub(super) fn subplatform(metadata: &InstanceMetadata) -> &'static str {
    match platform(metadata) {
        "ec2" => "metadata (http://169.254.169.254)",
        "none" => "config",
        _ => "unknown",
    }
}

/// The host's name up to its first dot; an address becomes `ip-10-0-0-1`.
///
/// Source: cloud-init, `cloudinit/sources/__init__.py` (`get_hostname`).
pub(crate) fn short_hostname(metadata: &InstanceMetadata) -> Option<String> {
    let name = metadata.local_hostname.as_ref()?;
    let is_address = name.as_str().parse::<Ipv4Addr>().is_ok();
    Some(if is_address {
        format!("ip-{}", name.as_str().replace('.', "-"))
    } else {
        name.short().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use contract::testing::instance;

    use super::*;

    #[test]
    fn a_cloud_is_called_what_cloud_init_calls_it() {
        #[rustfmt::skip]
        let table = [
            ("ec2",     Some("eu-west-1"),      "aws"),
            ("ec2",     None,                   "aws"),
            ("ec2",     Some("cn-north-1"),     "aws-china"),
            ("ec2",     Some("us-gov-west-1"),  "aws-gov"),
            ("nocloud", Some("cn-north-1"),     "nocloud"),
            ("seed",    None,                   "nocloud"),
            ("none",    None,                   "none"),
        ];
        for (platform, region, id) in table {
            let mut metadata = instance();
            metadata.platform = platform.to_owned();
            metadata.region = region.map(ToOwned::to_owned);
            assert_eq!(cloud_id(&metadata), id, "{platform} {region:?}");
        }
    }

    #[test]
    fn a_host_is_called_by_its_first_name() {
        for (full, short) in [
            ("web-1.example.com", "web-1"),
            ("web", "web"),
            ("10.0.0.1", "ip-10-0-0-1"),
        ] {
            let mut metadata = instance();
            metadata.local_hostname = Some(full.parse().unwrap());
            assert_eq!(short_hostname(&metadata).as_deref(), Some(short), "{full}");
        }
    }
}
