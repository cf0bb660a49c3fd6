//! Where the package of GRUB installs the boot loader when it is upgraded: on the disk that this
//! machine boots from, whose name may not be the one of the machine that the image was made on.
//!
//! Source: cloud-init, `cloudinit/config/cc_grub_dpkg.py`.

use contract::machine::Probe;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Mapping, Value};
use serde::Deserialize;

use crate::debconf;
use crate::disk;
use crate::distribution;
use crate::fields::wrong;
use crate::files;
use crate::switch;

const NAME: &str = "grub_dpkg";

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::Map(&[
        Key::new("enabled", Shape::Switch, "whether debconf is told").or("false"),
        Key::new(
            "grub-pc/install_devices",
            Shape::Text,
            "the disk; the one of /boot if not given",
        ),
        Key::new(
            "grub-pc/install_devices_empty",
            Shape::Switch,
            "whether it is all right that there is no disk; true where none is found",
        ),
        Key::new(
            "grub-efi/install_devices",
            Shape::Text,
            "of a machine with EFI the partition; the one of /boot/efi if not given",
        ),
    ]),
    "what debconf is told of the disk that GRUB is installed on",
)
.once_called(&["grub-dpkg"])];

/// Tells debconf.
pub(crate) struct GrubDpkg;

/// `grub_dpkg`.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    grub_dpkg: Option<Value>,
    #[serde(rename = "grub-dpkg")]
    old: Option<Value>,
}

impl Module for GrubDpkg {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "say on which disk upgrades of GRUB install it",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/grub_dpkg.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(given) = want.grub_dpkg.or(want.old) else {
            return Plan::nothing();
        };
        let Some(map) = given.as_map() else {
            return Plan::problem(wrong("grub_dpkg", &given, "a mapping"));
        };
        let mut plan = Plan::nothing();
        let mut wanted = Wanted {
            map,
            problems: &mut plan.problems,
        };
        if wanted.switch("enabled") != Some(true) {
            return plan;
        }
        let is_efi = files::exists(ctx.probe, "/sys/firmware/efi");
        let text = if is_efi {
            let device = wanted.text("grub-efi/install_devices");
            let device = device.unwrap_or_else(|| partition(ctx.probe).unwrap_or_default());
            format!("grub-pc grub-efi/install_devices string {device}\n")
        } else {
            let device = wanted.text("grub-pc/install_devices");
            let device = device.unwrap_or_else(|| whole_disk(ctx.probe).unwrap_or_default());
            let empty = wanted.switch("grub-pc/install_devices_empty");
            let empty = empty.unwrap_or(device.is_empty());
            format!(
                "grub-pc grub-pc/install_devices string {device}\n\
                 grub-pc grub-pc/install_devices_empty boolean {empty}\n"
            )
        };
        let told = debconf::answers("the disk of GRUB for debconf", &text, ctx.probe);
        plan.push(Step::new("debconf", told));
        plan
    }
}

struct Wanted<'a> {
    map: &'a Mapping,
    problems: &'a mut Vec<Problem>,
}

impl Wanted<'_> {
    fn given(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn switch(&mut self, key: &str) -> Option<bool> {
        let value = self.given(key)?;
        let on = switch::read(value);
        if on.is_none() {
            self.wrong(value.clone(), key, "true or false");
        }
        on
    }

    /// It is a line of debconf's.
    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.given(key)?;
        let text = value.to_text().filter(|text| !text.contains('\n'));
        if text.is_none() {
            self.wrong(value.clone(), key, "a device");
        }
        text
    }

    fn wrong(&mut self, value: Value, key: &str, wanted: &str) {
        let message = format!("grub_dpkg.{key}: expected {wanted}");
        self.problems
            .push(Problem::error(Some(value.place), message));
    }
}

/// What grub-probe(8) finds with `-t device /boot/efi`.
fn partition(probe: &dyn Probe) -> Option<String> {
    let device = below(probe, &["/boot/efi", "/boot", "/"])?;
    Some(lasting_name(probe, &device.name))
}

/// What grub-probe(8) finds with `-t disk /boot`.
fn whole_disk(probe: &dyn Probe) -> Option<String> {
    let device = below(probe, &["/boot", "/"])?;
    let disk = device.part.map_or(device.name, |part| part.disk);
    Some(lasting_name(probe, &disk))
}

/// The device of the first that is mounted. A machine without GRUB needs none.
fn below(probe: &dyn Probe, points: &[&str]) -> Option<disk::Device> {
    if !distribution::has_program(probe, "grub-probe") {
        return None;
    }
    let mut points = points.iter();
    let mounted = points.find_map(|point| disk::mounted(probe, point))?;
    disk::device_of(probe, &mounted)
}

/// The first name of a device in /dev/disk/by-id, as udev(7) keeps them; else its own.
fn lasting_name(probe: &dyn Probe, name: &str) -> String {
    let known = disk::udev(probe, name).unwrap_or_default();
    let links = known.lines().filter_map(|line| line.strip_prefix("S:"));
    let first = links.filter(|link| link.starts_with("disk/by-id/")).min();
    format!("/dev/{}", first.unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use contract::effect::Effect;
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    /// A machine on EC2: a disk with a root partition, /boot in it, and one for EFI.
    const MACHINE: &[(&str, &str)] = &[
        ("/etc/os-release", "ID=debian\n"),
        ("/usr/sbin/grub-probe", ""),
        (
            "/proc/self/mountinfo",
            "22 1 259:1 / / rw - ext4 /dev/root rw\n23 22 259:2 / /boot/efi rw - vfat /dev/nvme0n1p15 rw\n",
        ),
        ("/dev/nvme0n1p1", ""),
        ("/dev/nvme0n1p15", ""),
        ("/sys/class/block/nvme0n1/dev", "259:0\n"),
        ("/sys/class/block/nvme0n1p1/dev", "259:1\n"),
        ("/sys/class/block/nvme0n1p1/size", "100\n"),
        ("/sys/class/block/nvme0n1p1/partition", "1\n"),
        ("/sys/class/block/nvme0n1p1/start", "0\n"),
        ("/sys/class/block/nvme0n1p15/dev", "259:2\n"),
        ("/sys/class/block/nvme0n1p15/size", "10\n"),
        ("/sys/block/nvme0n1/size", "200\n"),
        ("/sys/block/nvme0n1/nvme0n1p1/start", "0\n"),
    ];
    const LINKS: (&str, &str) = (
        "/run/udev/data/b259:0",
        "S:disk/by-path/pci-0\nS:disk/by-id/nvme-nvme.1d0f\nS:disk/by-id/nvme-Amazon_Elastic_Block_Store_vol01\nE:A=b\n",
    );
    const EFI: (&str, &str) = ("/sys/firmware/efi/runtime", "");

    /// Paths with what is in them.
    type Files<'a> = &'a [(&'a str, &'a str)];

    fn plan(files: Files<'_>, config: &str) -> Plan {
        Setting {
            machine: FakeMachine::with(&[MACHINE, files].concat()),
            ..Setting::default()
        }
        .plan::<GrubDpkg>(config)
    }

    fn told(plan: &Plan) -> String {
        let stdin = plan.effects().find_map(|effect| match effect {
            Effect::Tool(tool) => Some(tool.stdin.expose().clone()),
            _ => None,
        });
        String::from_utf8(stdin.unwrap_or_default()).unwrap()
    }

    #[test]
    fn debconf_is_told_of_the_disk_that_the_machine_boots_from() {
        let pc = |device: &str, empty| {
            format!(
                "grub-pc grub-pc/install_devices string {device}\ngrub-pc grub-pc/install_devices_empty boolean {empty}\n"
            )
        };
        let efi = |device| format!("grub-pc grub-efi/install_devices string {device}\n");
        let lasting = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol01";
        #[rustfmt::skip]
        let table: [(Files<'_>, &str, String); 8] = [
            (&[],           "{enabled: true}",                                           pc("/dev/nvme0n1", false)),
            (&[LINKS],      "{enabled: true}",                                           pc(lasting, false)),
            (&[LINKS],      "{enabled: yes, grub-pc/install_devices: /dev/sda}",         pc("/dev/sda", false)),
            (&[],           "{enabled: true, grub-pc/install_devices: '', grub-pc/install_devices_empty: 'false'}", pc("", false)),
            (&[EFI, LINKS], "{enabled: true}",                                           efi("/dev/nvme0n1p15")),
            (&[EFI],        "{enabled: true, grub-efi/install_devices: /dev/sda15}",     efi("/dev/sda15")),
            (&[],           "{enabled: false}",                                          String::new()),
            (&[],           "{grub-pc/install_devices: /dev/sda}",                       String::new()),
        ];
        for (files, config, wanted) in table {
            let plan = plan(files, &format!("grub_dpkg: {config}"));
            assert_eq!(told(&plan), wanted, "{config}");
            assert_eq!(plan.problems, [], "{config}");
        }
    }

    #[test]
    fn a_machine_without_grub_has_no_disk_for_it() {
        let machine = FakeMachine::with(&[("/etc/os-release", "ID=ubuntu\n")]);
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        let plan = setting.plan::<GrubDpkg>("grub-dpkg: {enabled: true}");
        assert!(told(&plan).ends_with("install_devices_empty boolean true\n"));
    }

    #[test]
    fn what_debconf_knows_already_is_not_told_again() {
        let book = "Name: grub-pc/install_devices\nValue: /dev/nvme0n1\nOwners: grub-pc\nFlags: seen\n\n\
                    Name: grub-pc/install_devices_empty\nValue: false\nOwners: grub-pc\nFlags: seen\n";
        let files = [("/var/cache/debconf/config.dat", book)];
        assert_eq!(plan(&files, "grub_dpkg: {enabled: true}"), Plan::nothing());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        #[rustfmt::skip]
        let table = [
            ("grub_dpkg: yes",                                                        "test:1:12: grub_dpkg: expected a mapping, found a boolean"),
            ("grub_dpkg: {enabled: maybe}",                                           "test:1:22: grub_dpkg.enabled: expected true or false"),
            ("grub_dpkg: {enabled: true, grub-pc/install_devices: [a]}",              "test:1:53: grub_dpkg.grub-pc/install_devices: expected a device"),
            ("grub_dpkg: {enabled: true, grub-pc/install_devices_empty: 3}",          "test:1:59: grub_dpkg.grub-pc/install_devices_empty: expected true or false"),
        ];
        for (config, said) in table {
            assert_eq!(plan(&[], config).problems[0].to_string(), said);
        }
    }
}
