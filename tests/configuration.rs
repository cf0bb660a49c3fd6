//! The built binary on the configuration of an image: what of it counts, and which modules run.

mod support;

use std::process::Command;

use support::Case;

/// A case whose image has these files.
fn case(user_data: &str, files: &[(&str, &str)]) -> Case {
    let case = Case::made(user_data, "instance-id: i-one\nlocal-hostname: calm\n");
    for (path, text) in files {
        case.write_seed(&format!("root/{path}"), text);
    }
    case
}

#[test]
fn the_images_module_lists_order_omit_and_say_how_often() {
    let lists = "cloud_init_modules: [set-hostname, fan, seet_hostname]\n\
                 cloud_final_modules: [[scripts-user, always]]\n";
    let case = case("#cloud-config\n{}\n", &[("etc/cloud/cloud.cfg", lists)]);
    let plan = case.run(&["plan"]);
    assert!(plan.stdout.contains("/etc/hostname"), "{plan:?}");
    assert!(!plan.stdout.contains("update_etc_hosts"), "{plan:?}");
    let said = format!("{}{}", plan.stdout, plan.stderr);
    assert!(
        said.contains("there is no module `seet_hostname` (did you mean `set_hostname`?)"),
        "{plan:?}"
    );
    assert!(said.contains("does not do `fan`"), "{plan:?}");

    assert_eq!(case.run(&["apply"]).code, 0);
    assert!(!case.path("etc/hosts").exists());
    let modules = case.run(&["modules"]).stdout;
    let row = |name: &str| {
        let mut lines = modules
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.find(|words| words.first() == Some(&name)).unwrap()[2].to_owned()
    };
    assert_eq!(row("set_hostname"), "instance", "{modules}");
    assert_eq!(row("scripts_user"), "always", "{modules}");
    assert_eq!(row("update_etc_hosts"), "never", "{modules}");

    let by_hand = case.run(&["run", "update_hostname"]);
    assert!(by_hand.stdout.contains("update_hostname"), "{by_hand:?}");
}

#[test]
fn launch_parameters_become_an_environment_file_that_a_shell_reads_as_they_were() {
    let format =
        "firstlight: {user_data: {parameters: {select_by_launch_index: {delimiter: '||'}}}}";
    let case = case(
        "colour=blue || {\"db.host\": \"a\", \"pass\": \"$HOME `id` \\\"x\\\" correct-horse\"}",
        &[("etc/firstlight/config.yaml", format)],
    );
    case.write_seed(
        "meta-data",
        "instance-id: i-one\nlocal-hostname: calm\nami-launch-index: 2\n",
    );
    for args in [&["plan"][..], &["apply"], &["status"]] {
        let answer = case.run(args);
        assert!(
            !format!("{answer:?}").contains("correct-horse"),
            "{args:?}: {answer:?}"
        );
    }
    assert_eq!(case.mode("run/firstlight/params.env") & 0o777, 0o600);
    let script =
        ". ./params.env && printf '%s|' \"$FIRSTLIGHT_PARAM_DB_HOST\" \"$FIRSTLIGHT_PARAM_PASS\"";
    let shell = Command::new("/bin/sh")
        .args(["-c", script])
        .current_dir(case.path("run/firstlight"))
        .output()
        .unwrap();
    let read = String::from_utf8_lossy(&shell.stdout);
    assert_eq!(read, "a|$HOME `id` \"x\" correct-horse|", "{shell:?}");
}
