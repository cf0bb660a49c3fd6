//! Whether this machine is on EC2, by what the hypervisor and the firmware say: no packet.
//!
//! Source: EC2 User Guide, "Identify EC2 instances"; cloud-init, `tools/ds-identify`.

use std::path::Path;

use contract::datasource::{Detection, SourceContext};
use contract::machine::Probe;

use super::settings::Settings;
use crate::choice;

/// Whose files may name another metadata service: those of the image's builder.
const TRUSTED: &str = "/etc/firstlight/";

/// Whether the metadata service may be asked.
pub(super) fn detect(ctx: &SourceContext<'_>) -> Detection {
    if let Some(why) = hardware(ctx.probe) {
        return Detection::Yes(why);
    }
    let Ok(settings) = Settings::of(ctx.config) else {
        return Detection::No("neither DMI nor the hypervisor says EC2".into());
    };
    if let Some(why) = named_service(&settings) {
        return Detection::Yes(why);
    }
    let is_only = || choice::only(ctx.config).as_deref() == Some(super::NAME);
    if settings.strict_id == Some(false) && is_only() {
        return Detection::Yes("it is the only data source, with strict_id: false".into());
    }
    Detection::No("neither DMI nor the hypervisor says EC2".into())
}

/// Where a file of the image's builder says that the service is, if it does.
pub(super) fn named_service(settings: &Settings) -> Option<String> {
    let urls = settings.metadata_urls.as_ref()?;
    let is_trusted = urls.place.source.starts_with(TRUSTED);
    is_trusted.then(|| format!("{}: metadata_urls names its service", urls.place))
}

fn hardware(probe: &dyn Probe) -> Option<String> {
    type Test = fn(&str) -> bool;
    #[rustfmt::skip]
    let marks: [(&str, Test); 4] = [
        ("/sys/hypervisor/uuid",               |uuid| uuid.starts_with("ec2")),
        ("/sys/class/dmi/id/product_uuid",     |uuid| uuid.starts_with("ec2") || little_endian(uuid).starts_with("ec2")),
        ("/sys/class/dmi/id/product_serial",   |serial| serial.starts_with("ec2")),
        ("/sys/class/dmi/id/sys_vendor",       |vendor| vendor == "amazon ec2"),
    ];
    marks.iter().find_map(|(path, is_ec2)| {
        let text = probe.read(Path::new(path)).ok()??;
        let text = String::from_utf8_lossy(&text).trim().to_ascii_lowercase();
        is_ec2(&text).then(|| format!("{path} says EC2"))
    })
}

/// The first group of a UUID with its bytes reversed: SMBIOS before 2.6 stores it that way.
fn little_endian(uuid: &str) -> String {
    let group = uuid.split('-').next().unwrap_or_default().as_bytes();
    let pairs = group.chunks(2).rev().map(String::from_utf8_lossy);
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use contract::config::Config;
    use contract::testing::{FakeMachine, config};
    use contract::yaml::{self, Limits};

    use super::*;

    fn is_ours(files: &[(&str, &str)], config: &Config) -> bool {
        let probe = FakeMachine::with(files);
        matches!(
            detect(&SourceContext {
                probe: &probe,
                config
            }),
            Detection::Yes(_)
        )
    }

    #[test]
    fn the_hypervisor_or_the_firmware_says_so() {
        #[rustfmt::skip]
        let table = [
            ("/sys/hypervisor/uuid",             "ec2e1916-9099-7caf-fd21-012345abcdef\n", true),
            ("/sys/hypervisor/uuid",             "5c2e1916-9099-7caf-fd21-012345abcdef\n", false),
            ("/sys/class/dmi/id/product_uuid",   "EC2E1916-9099-7CAF-FD21-012345ABCDEF\n", true),
            ("/sys/class/dmi/id/product_uuid",   "45E12AEC-DCD1-B213-94ED-012345ABCDEF\n", true),
            ("/sys/class/dmi/id/product_uuid",   "4C4C4544-0038-4B10-8051-B4C04F4E5632\n", false),
            ("/sys/class/dmi/id/product_serial", "ec2e1916-9099-7caf-fd21-012345abcdef\n", true),
            ("/sys/class/dmi/id/sys_vendor",     "Amazon EC2\n",                           true),
            ("/sys/class/dmi/id/sys_vendor",     "QEMU\n",                                 false),
            ("/sys/class/dmi/id/sys_vendor",     "",                                       false),
        ];
        for (path, text, expected) in table {
            assert_eq!(
                is_ours(&[(path, text)], &config("")),
                expected,
                "{path}: {text}"
            );
        }
    }

    #[test]
    fn the_image_lifts_the_check_only_by_saying_so_twice_or_in_its_own_files() {
        let urls = "datasource: {Ec2: {metadata_urls: ['http://127.0.0.1:1']}}";
        let lax = "datasource: {Ec2: {strict_id: false}}";
        #[rustfmt::skip]
        let table = [
            ("/etc/firstlight/config.yaml",        urls.to_owned(),                                    true),
            ("/etc/cloud/cloud.cfg.d/90.cfg",      urls.to_owned(),                                    false),
            ("part-001",                           urls.to_owned(),                                    false),
            ("/etc/cloud/cloud.cfg",               lax.to_owned(),                                     false),
            ("/etc/cloud/cloud.cfg",               format!("{lax}\ndatasource_list: [Ec2]"),           true),
            ("/etc/cloud/cloud.cfg",               format!("{lax}\ndatasource_list: [Ec2, None]"),     true),
            ("/etc/cloud/cloud.cfg",               format!("{lax}\ndatasource_list: [Ec2, NoCloud]"),  false),
            ("/etc/cloud/cloud.cfg",               "datasource_list: [Ec2]".to_owned(),                false),
        ];
        for (source, text, expected) in table {
            let document = yaml::parse(&text, source, &Limits::default()).unwrap();
            let config = Config::new(document.value.as_map().unwrap().clone());
            assert_eq!(is_ours(&[], &config), expected, "{source}: {text}");
        }
    }
}
