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

/// Stands in for shutdown(8): notes how it was called, and what was on the disk by then.
const SHUTDOWN: &str = "#!/bin/sh\necho \"$*\" >> /var/lib/shutdowns\n\
    cp /run/firstlight/result.json /var/lib/result-by-then\n\
    cp /var/lib/firstlight/instances/i-1/journal /var/lib/journal-by-then\n";

fn with_shutdown() -> Option<Debian> {
    let machine = Debian::with_image("{}\n")?;
    machine.program("usr/local/sbin/shutdown", SHUTDOWN);
    Some(machine)
}

#[test]
fn the_machine_goes_down_once_when_everything_is_done_and_recorded() {
    let Some(machine) = with_shutdown() else {
        return;
    };
    let user_data = "#cloud-config\npower_state: {mode: poweroff, message: good bye}\n\
        runcmd: ['touch /var/lib/ran']\n";
    let plan = machine.booted_with(user_data, &["plan", "power_state_change"]);
    assert!(
        plan.text
            .contains("`shutdown -P now good bye` would be run at the end"),
        "{plan:?}"
    );
    for boot in 1..=2 {
        let said = machine.booted_with(user_data, &["boot"]);
        assert_eq!(said.code, 0, "boot {boot}: {said:?}");
        assert_eq!(
            machine.text("var/lib/shutdowns"),
            "-P now good bye\n",
            "boot {boot}"
        );
    }
    assert!(machine.path("var/lib/ran").exists());
    assert!(
        machine
            .text("var/lib/result-by-then")
            .contains("scripts_user")
    );
    let journal = machine.text("var/lib/journal-by-then");
    let own = |line: &&str| line.contains("\"power_state_change\"");
    assert!(
        journal.lines().find(own).unwrap().contains("done"),
        "{journal}"
    );
    let status = machine.booted(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
}

#[test]
fn a_condition_decides_whether_the_machine_goes_down() {
    #[rustfmt::skip]
    let table = [
        // condition                  goes down  status
        ("test -e /var/lib/ran",      true,      0),
        ("[sh, -c, 'exit 1']",        false,     0),
        ("exit 3",                    false,     2),
    ];
    for (condition, goes_down, code) in table {
        let Some(machine) = with_shutdown() else {
            return;
        };
        let user_data = format!(
            "#cloud-config\npower_state: {{mode: reboot, delay: 1, condition: {condition}}}\n\
             runcmd: ['touch /var/lib/ran']\n"
        );
        let said = machine.booted_with(&user_data, &["boot"]);
        assert_eq!(said.code, 0, "{condition}: {said:?}");
        assert_eq!(
            machine.path("var/lib/shutdowns").exists(),
            goes_down,
            "{condition}"
        );
        let status = machine.booted(&["status"]);
        assert_eq!(status.code, code, "{condition}: {status:?}");
    }
}

#[test]
fn a_machine_that_cannot_record_it_does_not_go_down_at_every_boot() {
    let Some(machine) = with_shutdown() else {
        return;
    };
    let journal = "/var/lib/firstlight/instances/i-1/journal";
    let user_data = format!(
        "#cloud-config\npower_state: {{mode: reboot}}\nruncmd: ['rm {journal}; mkdir {journal}']\n"
    );
    let said = machine.booted_with(&user_data, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!machine.path("var/lib/shutdowns").exists());
    let status = machine.booted(&["status"]);
    assert!(
        status.text.contains("no reboot: it is not recorded"),
        "{status:?}"
    );
}

#[test]
fn the_console_hears_that_everything_is_done() {
    #[rustfmt::skip]
    let table = [
        ("",                                                                        "firstlight v. "),
        ("final_message: up $UPTIME s, ${DATASOURCE}.",                             " s, DataSource"),
        ("final_message: |\n  ## template: jinja\n  it is {{VERSION}}!\n", "it is 0."),
    ];
    for (config, says) in table {
        let Some(machine) = Debian::with_image("{}\n") else {
            return;
        };
        // Without a console it is said where everything else is.
        fs::remove_file(machine.path("dev/console")).unwrap();
        let said = machine.booted_with(&format!("#cloud-config\n{config}"), &["boot"]);
        assert_eq!(said.code, 0, "{config}: {said:?}");
        assert!(said.text.contains(says), "{config}: {said:?}");
    }
}

#[test]
fn what_a_script_of_the_boot_asks_of_firstlight_does_not_wait_for_the_boot() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    let script = "#!/bin/sh\n\
        for what in 'run set_hostname --force' clean; do\n\
            timeout --signal=KILL 60 firstlight $what >>/srv/said 2>&1 && touch /srv/worked\n\
        done\n\
        true\n";
    let boot = debian.booted_with(script, &["boot"]);
    assert_eq!(boot.code, 0, "{boot:?}");
    let said = debian.text("srv/said");
    assert_eq!(
        said.matches("--property=After=firstlight-final").count(),
        2,
        "{said}"
    );
    assert!(!debian.path("srv/worked").exists(), "{said}");
}
