//! What the system's own tools make of time zone, language and the end of a boot, as root in a
//! throw-away Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::path::Path;

use support::debian::Debian;

#[test]
fn the_machine_speaks_the_language_and_keeps_the_time_that_were_asked_for() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    machine.boot_well("#cloud-config\ntimezone: Europe/Paris\nlocale: fr_FR.UTF-8\n");
    let link = fs::read_link(machine.path("etc/localtime")).unwrap();
    assert_eq!(link, Path::new("/usr/share/zoneinfo/Europe/Paris"));
    assert_eq!(machine.text("etc/timezone"), "Europe/Paris\n");
    let summer = machine.chroot(&["date", "-d", "@1782900000", "+%Z"]);
    assert_eq!(summer.trim(), "CEST");
    assert!(machine.chroot(&["locale", "-a"]).contains("fr_FR.utf8"));
    assert!(
        machine
            .text("etc/default/locale")
            .contains("LANG=fr_FR.UTF-8\n")
    );

    let seed = machine.path("seed");
    let plan = machine.run(&["--seed", seed.to_str().unwrap(), "plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");
}

#[test]
fn a_machine_that_was_asked_nothing_says_its_language_and_makes_none() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    let before = machine.text("etc/locale.gen");
    machine.boot_well("");
    assert!(
        machine
            .text("etc/default/locale")
            .ends_with("\nLANG=C.UTF-8\n")
    );
    assert_eq!(machine.text("etc/locale.gen"), before);
}

#[test]
fn the_metadata_service_is_out_of_reach_at_every_boot() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    machine.write("other/meta-data", "instance-id: i-2\n");
    machine.write(
        "other/user-data",
        "#cloud-config\ndisable_ec2_metadata: true\n",
    );
    let user_data = "#cloud-config\ndisable_ec2_metadata: true\nruncmd:\n\
        - ip route show table all > /routes\n\
        - firstlight --seed /other plan disable_ec2_metadata > /again\n";
    let said = machine.booted_with(user_data, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let routes = machine.text("routes");
    for address in ["prohibit 169.254.169.254", "prohibit fd00:ec2::254"] {
        assert!(routes.contains(address), "{address}: {routes}");
    }
    assert_eq!(machine.text("again"), "nothing would change\n");

    let below = machine.run(&["--seed", machine.path("other").to_str().unwrap(), "plan"]);
    let left = "no route to 169.254.169.254 (needs the live machine)";
    assert!(below.text.contains(left), "{below:?}");
}
