//! What tools that know cloud-init find on disk, and what they change there.

mod support;

use serde_json::Value;
use support::Case;
use support::debian::Debian;

const META_DATA: &str = "instance-id: i-1\nlocal-hostname: one\n";
const COMPAT: &str = "firstlight: {cloud_init_compat: true}\n";

/// A seed whose image asks for it.
fn compatible(user_data: &str) -> Case {
    let case = Case::made(user_data, META_DATA);
    case.write_seed("root/etc/firstlight/config.yaml", COMPAT);
    case
}

#[allow(clippy::unwrap_used, reason = "for tests only")]
fn json(case: &Case, path: &str) -> Value {
    serde_json::from_str(&case.text(path)).unwrap()
}

#[test]
fn status_and_result_are_where_cloud_init_has_them() {
    let case = compatible("#cloud-config\nnosuch_key: 1\n");
    let said = case.run(&["apply"]);
    assert_eq!(said.code, 0, "{said:?}");

    for name in ["status.json", "result.json"] {
        let link = std::fs::read_link(case.path("run/cloud-init").join(name)).unwrap();
        let to = format!("../../var/lib/cloud/data/{name}");
        assert_eq!(link.to_str(), Some(to.as_str()));
        assert_eq!(
            case.mode(&format!("var/lib/cloud/data/{name}")) & 0o777,
            0o644
        );
    }
    let status = json(&case, "run/cloud-init/status.json");
    assert_eq!(status["v1"]["datasource"], "DataSourceNoCloud");
    assert_eq!(status["v1"]["stage"], Value::Null);
    for stage in ["init-local", "init", "modules-config", "modules-final"] {
        let stage = &status["v1"][stage];
        assert!(
            stage["start"].as_f64() <= stage["finished"].as_f64(),
            "{status}"
        );
        assert!(stage["start"].is_f64(), "{status}");
    }
    let warned = status["v1"]["init"]["recoverable_errors"]["WARNING"].to_string();
    assert!(warned.contains("nosuch_key"), "{status}");
    let result = json(&case, "run/cloud-init/result.json");
    assert_eq!(result["v1"]["errors"], serde_json::json!([]));
    assert!(case.path("run/cloud-init/enabled").exists());
}

#[test]
fn an_instance_is_described_for_everybody_and_for_root() {
    let user_data =
        "#cloud-config\nwrite_files: [{path: /srv/a, content: hunter2, permissions: '0600'}]\n";
    let case = compatible(user_data);
    let meta_data = format!("{META_DATA}region: us-gov-west-1\napi-key: hunter2\n");
    case.write_seed("meta-data", &meta_data);
    let said = case.run(&["apply"]);
    assert_eq!(said.code, 0, "{said:?}");

    let link = std::fs::read_link(case.path("var/lib/cloud/instance"));
    assert_eq!(link.ok(), Some("/var/lib/cloud/instances/i-1".into()));
    let dir = "var/lib/cloud/instances/i-1";
    assert_eq!(case.text(&format!("{dir}/user-data.txt")), user_data);
    assert_eq!(case.text("run/cloud-init/cloud-id-nocloud"), "nocloud\n");
    let data = json(&case, "run/cloud-init/instance-data.json");
    assert_eq!(data["v1"]["instance-id"], "i-1");
    assert_eq!(
        data["ds"]["meta_data"]["api-key"],
        "redacted for non-root user"
    );
    let data = json(&case, "run/cloud-init/instance-data-sensitive.json");
    assert_eq!(data["ds"]["meta_data"]["api-key"], "hunter2");
    assert_eq!(
        case.text("var/lib/cloud/data/set-hostname"),
        "{\n \"fqdn\": \"one\",\n \"hostname\": \"one\"\n}\n"
    );
    let finished = case.text(&format!("{dir}/boot-finished"));
    assert!(finished.contains(" - v. "), "{finished}");

    for (path, mode) in case.files_holding("hunter2") {
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn clean_forgets_all_but_the_seed() {
    let case = compatible("");
    case.write_seed("root/var/lib/cloud/seed/nocloud/meta-data", META_DATA);
    let said = case.run(&["apply"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = case.run(&["clean"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.contains("removed: /var/lib/cloud/instances"),
        "{said:?}"
    );
    let left = std::fs::read_dir(case.path("var/lib/cloud"))
        .into_iter()
        .flatten();
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["seed"]);
    assert!(case.path("var/lib/cloud/seed/nocloud/meta-data").exists());
}

#[test]
fn only_the_image_can_ask_for_it() {
    let case = Case::made(&format!("#cloud-config\n{COMPAT}"), META_DATA);
    let said = case.run(&["apply"]);
    assert_eq!(said.code, 0, "{said:?}");
    for path in ["run/cloud-init", "var/lib/cloud", "var/log/cloud-init.log"] {
        assert!(!case.path(path).exists(), "{path}");
    }
}

#[test]
fn a_plan_leaves_nothing_behind() {
    let case = compatible("#!/bin/sh\n");
    std::fs::create_dir_all(case.root()).ok();
    let said = case.run(&["plan"]);
    assert!(
        said.stdout
            .contains("var/lib/cloud/instances/i-1/scripts/part-001"),
        "{said:?}"
    );
    assert!(
        case.files_holding("").is_empty(),
        "planning wrote something"
    );
}

#[test]
fn a_machine_where_it_is_switched_off_says_so() {
    let case = compatible("");
    case.write_seed("root/etc/firstlight/disabled", "");
    let said = case.run(&["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(case.path("run/cloud-init/disabled").exists());
    assert!(!case.path("run/cloud-init/enabled").exists());
    assert!(!case.path("run/cloud-init/status.json").exists());
}

/// A Debian whose image asks for it.
fn debian() -> Option<Debian> {
    Debian::with_image(COMPAT)
}

const SEMAPHORES: &str = "var/lib/cloud/instances/i-1/sem";

/// One boot with this user data, to its end.
fn boot(debian: &Debian, user_data: &str) {
    let said = debian.run_with(user_data, META_DATA, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
}

const COUNTS: &str = "#!/bin/sh\necho x >>/srv/count\n";

#[test]
fn whoever_takes_a_semaphore_away_gets_the_module_again() {
    let Some(debian) = debian() else { return };
    let user_data =
        "#cloud-config\nwrite_files: [{path: /srv/a, content: a}]\nruncmd: [echo x >>/srv/count]\n";
    let count = || debian.lines("srv/count");
    boot(&debian, user_data);
    boot(&debian, user_data);
    assert_eq!(count(), 1);

    remove(&debian, &format!("{SEMAPHORES}/config_scripts_user"));
    remove(&debian, "srv/a");
    boot(&debian, user_data);
    assert_eq!(count(), 2);
    assert!(!debian.path("srv/a").exists(), "only scripts_user is due");
    let status = debian.run(&["status"]).text;
    assert!(status.contains("taken away"), "{status}");
    boot(&debian, user_data);
    assert_eq!(count(), 2, "once is enough");

    remove(&debian, &format!("{SEMAPHORES}/config_write_files"));
    let plan = debian.run_with(user_data, META_DATA, &["plan"]);
    assert!(plan.text.contains("/srv/a"), "{plan:?}");
    boot(&debian, user_data);
    assert_eq!(debian.text("srv/a"), "a");

    std::fs::remove_dir_all(debian.path("var/lib/cloud/instances")).ok();
    boot(&debian, user_data);
    assert_eq!(count(), 3);
    boot(&debian, user_data);
    assert_eq!(count(), 3);
}

#[test]
fn a_script_that_takes_its_own_semaphore_away_runs_at_each_boot() {
    let Some(debian) = debian() else { return };
    let user_data = format!("{COUNTS}rm /var/lib/cloud/instance/sem/config_scripts_user\n");
    for count in 1..=3 {
        boot(&debian, &user_data);
        assert_eq!(debian.lines("srv/count"), count);
    }
}

#[test]
fn a_script_that_was_cut_off_runs_again_only_if_somebody_asks() {
    let Some(debian) = debian() else { return };
    let user_data = format!("{COUNTS}kill -9 $PPID\n");
    let cut = |count: usize| {
        let said = debian.run_with(&user_data, META_DATA, &["boot"]);
        assert_eq!(said.code, -1, "{said:?}");
        assert_eq!(debian.lines("srv/count"), count);
    };
    cut(1);
    let semaphore = format!("{SEMAPHORES}/config_scripts_user");
    assert!(
        debian.path(&semaphore).exists(),
        "as cloud-init has it while a script runs"
    );
    boot(&debian, &user_data);
    assert_eq!(debian.lines("srv/count"), 1);
    let status = debian.run(&["status"]);
    assert_eq!(status.code, 2, "{status:?}");
    assert!(status.text.contains("begun and did not end"), "{status:?}");
    let text = debian.text("run/cloud-init/status.json");
    assert!(text.contains("begun and did not end"), "{text}");
    remove(&debian, &semaphore);
    cut(2);
}

#[test]
fn an_instance_that_firstlight_has_configured_gets_semaphores_when_its_image_asks_for_them() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    boot(&debian, COUNTS);
    assert!(!debian.path("var/lib/cloud").exists());
    debian.write("etc/firstlight/config.d/60-compat.yaml", COMPAT);
    boot(&debian, COUNTS);
    let semaphore = format!("{SEMAPHORES}/config_scripts_user");
    assert!(debian.path(&semaphore).exists());
    assert_eq!(
        debian.lines("srv/count"),
        1,
        "a script is not run again for it"
    );
    remove(&debian, &semaphore);
    boot(&debian, COUNTS);
    assert_eq!(debian.lines("srv/count"), 2);
}

#[test]
fn a_script_that_forgets_everything_runs_again() {
    let Some(debian) = debian() else { return };
    let user_data = format!("{COUNTS}rm -rf /var/lib/firstlight /var/lib/cloud\n");
    for count in 1..=2 {
        boot(&debian, &user_data);
        assert_eq!(debian.lines("srv/count"), count);
    }
}

#[test]
fn what_cloud_init_has_done_is_not_done_again() {
    let Some(debian) = debian() else { return };
    let user_data = multipart();
    debian.write("etc/hostname", "kept\n");
    for name in [
        "config_scripts_user",
        "config_set_hostname",
        "config_users_groups",
        "config_ssh",
    ] {
        debian.write(&format!("{SEMAPHORES}/{name}"), "27: 1795625040.65\n");
    }
    debian.write(
        "var/lib/cloud/sem/config_scripts_per_once.once",
        "27: 1795625040.65\n",
    );
    debian.write("var/lib/cloud/data/instance-id", "i-1\n");
    boot(&debian, &user_data);
    assert!(!debian.path("srv/count").exists());
    assert!(!debian.path("srv/once").exists());
    assert_eq!(debian.text("srv/a"), "a", "what it has not done is done");
    assert_eq!(debian.text("etc/hostname"), "kept\n");
    let status = debian.run(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.text.contains("not done again: 6 ("), "{status:?}");
    boot(&debian, &user_data);
    assert!(!debian.path("srv/count").exists());

    // Another instance of the same image is new, but for what is done once for a machine.
    let said = debian.run_with(&user_data, "instance-id: i-2\n", &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(debian.lines("srv/count"), 1);
    assert!(!debian.path("srv/once").exists());

    let said = debian.run(&["semaphores", "reset", "scripts_per_once"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = debian.run_with(&user_data, "instance-id: i-2\n", &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(debian.lines("srv/once"), 1);
}

#[test]
fn scripts_are_where_cloud_init_has_them() {
    let Some(debian) = debian() else { return };
    boot(&debian, &multipart());
    let dir = "var/lib/cloud/instances/i-1/scripts";
    for name in ["part-002", "runcmd"] {
        assert_eq!(debian.mode(&format!("{dir}/{name}")), 0o700, "{name}");
    }
    assert_eq!(debian.mode("var/lib/cloud/scripts/per-once/once.sh"), 0o700);
    assert!(
        !debian
            .path("var/lib/firstlight/instances/i-1/scripts")
            .exists()
    );
    assert_eq!(debian.text("srv/name").trim(), format!("/{dir}/part-002"));
}

#[test]
fn output_is_in_cloud_inits_log_while_a_script_runs() {
    let image = format!("{COMPAT}output: {{all: '| tee -a /var/log/cloud-init-output.log'}}\n");
    let Some(debian) = Debian::with_image(&image) else {
        return;
    };
    let log = "var/log/cloud-init-output.log";
    let script = format!(
        "#!/bin/sh\necho first; echo second >&2; grep -cx -e first -e second /{log} >/srv/seen # hunter2\n"
    );
    let said = debian.booted_with(&script, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(debian.text("srv/seen"), "2\n");
    assert!(
        said.text.contains("first"),
        "the console has it as well: {said:?}"
    );
    let text = debian.text(log);
    let order = [
        "running 'init-local' at ",
        "running 'init' at ",
        "running 'modules:final' at ",
        "first\n",
    ];
    let places: Vec<_> = order.iter().map(|line| text.find(line)).collect();
    assert!(
        places.is_sorted() && places.iter().all(Option::is_some),
        "{places:?} in {text}"
    );
    let link = std::fs::read_link(debian.path("var/log/firstlight-output.log"));
    assert_eq!(link.ok(), Some("cloud-init-output.log".into()));

    let text = debian.text("var/log/cloud-init.log");
    assert!(text.contains(" - scripts_user[INFO]: changed ("), "{text}");
    assert!(text.contains("Cloud-init v. firstlight-"), "{text}");
    for name in [log, "var/log/cloud-init.log"] {
        assert_eq!(debian.mode(name), 0o640, "{name}");
        assert_eq!(debian.owner(name), (0, 4), "{name}: root and adm");
        assert!(!debian.text(name).contains("hunter2"), "{name}");
    }
}

#[test]
fn a_log_waits_for_nobody_and_ends_with_the_last_word() {
    let Some(debian) = debian() else { return };
    debian.write("var/log/cloud-init-output.log", "before\n");
    let said = debian.booted_with("#!/bin/sh\necho first\n", &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let text = debian.text("var/log/cloud-init-output.log");
    assert!(text.starts_with("before\n"), "{text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(
        last.contains(" finished at ") && last.starts_with("Cloud-init v. "),
        "{text}"
    );
}

fn multipart() -> String {
    let part = |kind: &str, name: &str, text: &str| {
        format!("--=\nContent-Type: text/{kind}\n{name}\n{text}\n")
    };
    let named = "Content-Disposition: attachment; filename=\"once.sh\"\n";
    [
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=\"\n\n".to_owned(),
        part(
            "cloud-config",
            "",
            "#cloud-config\nruncmd: ['true']\nwrite_files: [{path: /srv/a, content: a}]",
        ),
        part("x-shellscript", "", &format!("{COUNTS}echo $0 >/srv/name")),
        part(
            "x-shellscript-per-once",
            named,
            "#!/bin/sh\necho x >>/srv/once",
        ),
        "--=--\n".to_owned(),
    ]
    .concat()
}

#[allow(clippy::unwrap_used, reason = "for tests only")]
fn remove(debian: &Debian, path: &str) {
    std::fs::remove_file(debian.path(path)).unwrap();
}

#[test]
fn a_boot_that_cannot_keep_its_state_is_waited_for_by_nobody() {
    let case = compatible("");
    case.write_seed("root/var/lib/firstlight", "no directory");
    let said = case.run(&["boot"]);
    // What can be done without state is done.
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(case.run(&["status"]).code, 1);
    let result = json(&case, "run/cloud-init/result.json");
    let errors = result["v1"]["errors"].to_string();
    assert!(errors.contains("/var/lib/firstlight"), "{errors}");

    let case = compatible("");
    case.write_seed("root/var/lib/cloud", "no directory");
    let said = case.run(&["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let result = json(&case, "run/cloud-init/result.json");
    assert_eq!(result["v1"]["errors"], serde_json::json!([]));
    assert_eq!(case.text("run/cloud-init/.instance-id"), "i-1\n");
}
