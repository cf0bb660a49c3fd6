//! What cloud-init calls a data source.

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
