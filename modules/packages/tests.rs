use contract::testing::{FakeMachine, Setting};

use super::*;

const DEBIAN: (&str, &str) = ("/etc/os-release", "ID=debian\n");
const UBUNTU: (&str, &str) = ("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\n");
const AMAZON: (&str, &str) = ("/etc/os-release", "ID=\"amzn\"\n");
const ROCKY: (&str, &str) = ("/etc/os-release", "ID=rocky\n");
const SNAP: (&str, &str) = ("/usr/bin/snap", "");

/// Paths with what is in them.
type Files<'a> = &'a [(&'a str, &'a str)];

fn plan(files: Files<'_>, config: &str) -> Plan {
    Setting {
        machine: FakeMachine::with(files),
        ..Setting::default()
    }
    .plan::<Packages>(config)
}

/// Steps with what they bring about.
fn steps(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| {
        let effects: Vec<String> = step.effects.iter().map(ToString::to_string).collect();
        format!("{}: {}", step.name, effects.join(" "))
    });
    steps.collect()
}

fn job(plan: &Plan, name: &str) -> Option<PackagesSpec> {
    let step = plan.steps.iter().find(|step| step.name == name)?;
    step.effects.iter().find_map(|effect| match effect {
        Effect::Packages(spec) => Some((**spec).clone()),
        _ => None,
    })
}

#[test]
fn lists_come_first_then_upgrades_then_what_is_new() {
    let all = "{package_update: true, package_upgrade: true, packages: [nginx, [curl, '7.88']]}";
    #[rustfmt::skip]
    let table: [(Files<'_>, &str, &[&str]); 10] = [
        (&[DEBIAN],       all, &["update: fresh lists of packages (apt)", "upgrade: newest packages (apt)", "install: packages nginx, curl 7.88 (apt)"]),
        (&[ROCKY],        all, &["update: fresh lists of packages (dnf)", "upgrade: newest packages (dnf)", "install: packages nginx, curl 7.88 (dnf)"]),
        (&[AMAZON],       all, &["upgrade: newest packages (dnf)", "install: packages nginx, curl 7.88 (dnf)"]),
        (&[UBUNTU, SNAP], all, &["update: fresh lists of packages (apt)", "upgrade: newest packages (apt)", "upgrade-snaps: newest packages (snap)", "install: packages nginx, curl 7.88 (apt)"]),
        (&[DEBIAN],       "package_update: 'yes'", &["update: fresh lists of packages (apt)"]),
        (&[DEBIAN],       "apt_upgrade: true", &["update: fresh lists of packages (apt)", "upgrade: newest packages (apt)"]),
        (&[ROCKY],        "packages: ['https://h/a.rpm?arch=x86_64', '/srv/a=1.rpm']", &["install: packages https://h/a.rpm?arch=x86_64, /srv/a=1.rpm (dnf)"]),
        (&[DEBIAN],       "packages: nginx", &["install: package nginx (apt)"]),
        (&[DEBIAN],       "{package_update: false, packages: []}", &[]),
        (&[DEBIAN],       "package_reboot_if_required: true", &[]),
    ];
    for (files, config, wanted) in table {
        let plan = plan(files, config);
        assert_eq!(steps(&plan), wanted, "{files:?} {config}");
        assert_eq!(plan.problems, [], "{files:?} {config}");
    }
}

#[test]
fn lists_are_fetched_once_and_snaps_are_tried_where_they_belong() {
    let config = "packages: [nginx, {apt: [curl]}, {snap: [[juju, --classic], lxd]}, nginx]";
    let told = plan(&[UBUNTU, SNAP], config);
    assert_eq!(
        steps(&told),
        [
            "install: packages nginx, curl (apt)",
            "install-snaps: packages juju --classic, lxd (snap)",
        ]
    );
    #[rustfmt::skip]
    let table = [
        // machine           configuration                               step           update  or a snap
        (vec![UBUNTU, SNAP], "packages: [a]",                            "install",     true,   true),
        (vec![UBUNTU],       "packages: [a]",                            "install",     true,   false),
        (vec![DEBIAN, SNAP], "packages: [a]",                            "install",     true,   false),
        (vec![UBUNTU, SNAP], "packages: [{apt: [a]}]",                   "install",     true,   false),
        (vec![DEBIAN],       "{package_update: true, packages: [a]}",    "install",     false,  false),
        (vec![ROCKY],        "packages: [a]",                            "install",     false,  false),
    ];
    for (files, config, step, fresh, snap) in table {
        let job = job(&plan(&files, config), step).unwrap().job;
        let PackageJob::Install {
            update, or_snap, ..
        } = job
        else {
            panic!("{config}")
        };
        assert_eq!((update, !or_snap.is_empty()), (fresh, snap), "{config}");
    }
}

#[test]
fn apt_get_is_called_as_the_image_says() {
    let usual = "apt-get --option=Dpkg::Options::=--force-confold --option=Dpkg::options::=--force-unsafe-io --assume-yes --quiet";
    let wrapped = format!("eatmydata {usual}");
    let there = ("/usr/bin/eatmydata", "");
    let off = "system_info: {apt_get_wrapper: {enabled: false}}";
    let forced = "system_info: {apt_get_wrapper: {enabled: true, command: [nice, -n, 5]}}";
    let own = "system_info: {apt_get_command: [apt-get, -y], apt_get_upgrade_subcommand: upgrade}";
    #[rustfmt::skip]
    let table: [(Files<'_>, &str, &str, &str); 5] = [
        (&[DEBIAN],         "{}",    usual,                          "dist-upgrade"),
        (&[DEBIAN, there],  "{}",    &wrapped,                       "dist-upgrade"),
        (&[DEBIAN, there],  off,     usual,                          "dist-upgrade"),
        (&[DEBIAN],         forced,  &format!("nice -n 5 {usual}"),  "dist-upgrade"),
        (&[DEBIAN],         own,     "apt-get -y",                   "upgrade"),
    ];
    for (files, config, argv, upgrade) in table {
        let config = format!(
            "packages: [a]\n{}\n",
            if config == "{}" { "" } else { config }
        );
        let PackageManager::Apt(apt) = job(&plan(files, &config), "install").unwrap().manager
        else {
            panic!("{config}")
        };
        assert_eq!(
            (apt.argv.join(" ").as_str(), apt.upgrade.as_str()),
            (argv, upgrade),
            "{config}"
        );
    }
}

#[test]
fn a_reboot_comes_last_and_only_where_something_was_asked_for() {
    let plan = plan(
        &[DEBIAN],
        "{packages: [a], package_reboot_if_required: true}",
    );
    let Some(Effect::Power(spec)) = plan.effects().last() else {
        panic!("{plan:?}")
    };
    assert_eq!(spec.argv, ["/sbin/reboot"]);
    assert!(spec.ends_run && spec.condition == PowerCondition::AnyFile(REBOOT_FILES));
}

#[test]
fn an_entry_that_is_wrong_costs_itself_alone() {
    #[rustfmt::skip]
    let table = [
        ("packages: [nginx, 7]",               "test:1:19: packages[1]: expected a name, or a list of name and version, found an integer"),
        ("packages: [nginx, [a, b, c]]",       "test:1:19: packages[1]: expected a name, or a list"),
        ("packages: [nginx, --purge]",         "test:1:19: packages[1]: that is no name of a package"),
        ("packages: [nginx, 'https://u:hunter2@h/a.rpm']", "test:1:19: packages[1]: everybody would see the password or token in it (fetch it with `write_files` and `source`, and give the path of that file here)"),
        ("packages: [nginx, 'https://h/a.rpm?X-Amz-Signature=hunter2']", "test:1:19: packages[1]: everybody would see the password or token in it"),
        ("packages: [nginx, 'a b']",           "test:1:19: packages[1]: that is no name of a package"),
        ("packages: [nginx, '']",              "test:1:19: packages[1]: that is no name of a package"),
        ("packages: [nginx, {flatpak: [a]}]",  "test:1:20: packages[1].flatpak: no such package manager (write `apt` or `snap`)"),
        ("packages: [nginx, {apt: a}]",        "test:1:25: packages[1].apt: expected a list, found a string"),
        ("{packages: [nginx], package_update: perhaps}", "test:1:37: package_update: expected true or false; it is taken as false"),
    ];
    for (config, says) in table {
        let plan = plan(&[DEBIAN], config);
        assert_eq!(steps(&plan), ["install: package nginx (apt)"], "{config}");
        let said = plan.problems[0].to_string();
        assert!(said.starts_with(says), "{config}: {said}");
    }
    let told = plan(&[DEBIAN], "packages: {apt: [a]}");
    assert_eq!(
        told.problems[0].to_string(),
        "test:1:11: packages: expected a list, found a mapping"
    );
    let told = plan(&[ROCKY], "packages: [{apt: [a]}, b]");
    assert_eq!(steps(&told), ["install: package b (dnf)"]);
    let said = told.problems[0].to_string();
    assert!(
        said.contains("`a` is for apt, and this distribution has none"),
        "{said}"
    );
    let told = plan(&[], "packages: [a]");
    let said = told.problems[0].to_string();
    assert!(
        said.contains("no package manager of this distribution is known"),
        "{said}"
    );
}
