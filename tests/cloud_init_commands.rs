//! The binary called by cloud-init's names: exit codes, and what programs read.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use lab::{Imds, Mood};
use serde_json::{Value, json};
use support::cloud::instance;
use support::debian::Debian;
use support::{Scratch, called};

#[test]
fn a_command_line_that_is_wrong_ends_as_argparse_ends_it() {
    let scratch = Scratch::new();
    #[rustfmt::skip]
    let table: &[(&str, &[&str], i32)] = &[
        ("cloud-init",     &[],                                           2),
        ("cloud-init",     &["nosuch"],                                   2),
        ("cloud-init",     &["stat"],                                     2),
        ("cloud-init",     &["--bad"],                                    2),
        ("cloud-init",     &["status", "--bad"],                          2),
        ("cloud-init",     &["status", "--format", "xml"],                2),
        ("cloud-init",     &["status", "--debug"],                        2),
        ("cloud-init",     &["single"],                                   2),
        ("cloud-init",     &["single", "-n", "x", "--frequency", "no"],   2),
        ("cloud-init",     &["modules", "--mode", "no"],                  2),
        ("cloud-init",     &["clean", "-c", "no"],                        2),
        ("cloud-init",     &["analyze"],                                  2),
        ("cloud-init",     &["devel"],                                    2),
        ("cloud-init",     &["schema", "-t", "no"],                       2),
        ("cloud-init",     &["schema"],                                   1),
        ("cloud-init",     &["query"],                                    1),
        ("cloud-init",     &["--all-stages"],                             1),
        ("cloud-init",     &["devel", "net-convert", "-p", "x"],          1),
        ("cloud-init",     &["--help"],                                   0),
        ("cloud-init",     &["status", "--help"],                         0),
        ("cloud-init",     &["features"],                                 0),
        ("cloud-id",       &["--bad"],                                    2),
        ("cloud-id",       &["--help"],                                   0),
        ("cloud-init-per", &[],                                           1),
        ("cloud-init-per", &["once", "name"],                             1),
        ("cloud-init-per", &["once", "a/b", "true"],                      1),
        ("cloud-init-per", &["--help"],                                   0),
    ];
    for (name, args, code) in table {
        let answer = called(&scratch, name, args);
        assert_eq!(answer.code, *code, "{name} {args:?}: {answer:?}");
        let told = if *code == 0 {
            &answer.stderr
        } else {
            &answer.stdout
        };
        let told_by_query = args == &["query"] && told.contains("KEY");
        assert!(
            told.is_empty() || told_by_query,
            "{name} {args:?}: {answer:?}"
        );
    }
}

#[test]
fn the_version_is_the_one_of_cloud_init_that_tools_compare() {
    let scratch = Scratch::new();
    for flag in ["--version", "-v", "--vers"] {
        let answer = called(&scratch, "cloud-init", &[flag]);
        let link = scratch.path().join("cloud-init");
        assert_eq!(answer.stdout, format!("{} 25.1.4\n", link.display()));
        assert_eq!(answer.code, 0);
    }
}

#[test]
fn a_file_is_valid_or_not_in_cloud_inits_words() {
    let scratch = Scratch::new();
    #[rustfmt::skip]
    let table = [
        // the file, the exit code, standard output, standard error
        ("#cloud-config\nhostname: a\n",               0, "Valid schema FILE\n",                                               ""),
        ("#cloud-config\nntp: {enabled: true}\n",      0, "Valid schema FILE\n",                                               ""),
        ("#cloud-config\npassword: hunter2hunter2\n",  0, "Valid schema FILE\n",                                               ""),
        ("",                                           0, "Empty 'cloud-config' found at FILE. Nothing to validate.\n",        ""),
        ("#!/bin/sh\n",                                0, "User-data type 'text/x-shellscript' not currently evaluated by cloud-init schema\n", ""),
        ("#cloud-config\napt_update: true\n",          0, "Cloud config schema deprecations: format-l2.c1: `apt_update` is an old spelling (write `package_update`)\nValid schema FILE\n", ""),
        ("#cloud-config\nusers: 3\nfoo: 1\n",          1, "Invalid user-data FILE\n",
         "Error: Cloud config schema errors: format-l2.c8: users: expected a list, found an integer, format-l3.c1: unknown key `foo` (did you mean `fan`?)\n\nError: Invalid schema: user-data\n\n"),
        ("#cloud-config\na: [\n",                      1, "Invalid user-data FILE\n",
         "Error: Cloud config schema errors: format-l2.c4: part ignored: a bracket is not closed\n\nError: Invalid schema: user-data\n\n"),
    ];
    let file = scratch.path().join("user-data");
    let shown = file.display().to_string();
    for (text, code, stdout, stderr) in table {
        fs::write(&file, text).unwrap();
        let answer = called(&scratch, "cloud-init", &["schema", "-c", &shown]);
        assert_eq!(answer.code, code, "{text}: {answer:?}");
        assert_eq!(answer.stdout, stdout.replace("FILE", &shown), "{text}");
        assert_eq!(answer.stderr, stderr.replace("FILE", &shown), "{text}");
    }
    fs::write(&file, "#cloud-config\nusers: 3\napt_update: true\n").unwrap();
    let answer = called(
        &scratch,
        "cloud-init",
        &["schema", "-c", &shown, "--annotate"],
    );
    assert_eq!(
        answer.stdout,
        "#cloud-config\nusers: 3\t\t# E1\napt_update: true\t\t# D1\n\n\
         # Errors: -------------\n# E1: users: expected a list, found an integer\n\n\n\
         # Deprecations: -------------\n# D1: `apt_update` is an old spelling (write `package_update`)\n\n\n"
    );
    assert_eq!(answer.stderr, "Error: Invalid schema: user-data\n\n");
    assert_eq!(answer.code, 1);
    let answer = called(&scratch, "cloud-init", &["schema", "-c", "/nosuch"]);
    assert_eq!(answer.code, 1, "{answer:?}");
}

#[test]
fn a_message_that_is_made_of_files_is_read_as_these_files() {
    let scratch = Scratch::new();
    fs::write(
        scratch.path().join("a.yaml"),
        "#cloud-config\nhostname: web\n",
    )
    .unwrap();
    fs::write(scratch.path().join("b.sh"), "#!/bin/sh\nexit 0\n").unwrap();
    let args = "devel make-mime -a a.yaml:cloud-config -a b.sh:x-shellscript";
    let args: Vec<&str> = args.split(' ').collect();
    let answer = called(&scratch, "cloud-init", &args);
    assert_eq!(answer.code, 0, "{answer:?}");
    fs::write(scratch.path().join("message"), &answer.stdout).unwrap();
    let parts = ["userdata", "parts", "--file", "message", "--format", "json"];
    let parts = called(&scratch, "firstlight", &parts);
    let parts: Value = serde_json::from_str(&parts.stdout).unwrap();
    let told = |at: usize| (parts[at]["name"].clone(), parts[at]["type"].clone());
    assert_eq!(told(0).0, "a.yaml", "{parts}");
    assert_eq!(told(1).0, "b.sh", "{parts}");
    let odd = ["devel", "make-mime", "-a", "b.sh:no-such"];
    assert_eq!(called(&scratch, "cloud-init", &odd).code, 1);
    let forced = [odd.as_slice(), &["--force"]].concat();
    assert_eq!(called(&scratch, "cloud-init", &forced).code, 0);
}

const USER_DATA: &str = "#cloud-config
bootcmd: [[touch, /root/bootcmd]]
runcmd: [echo ran]
password: hunter2hunter2
";

#[test]
fn each_command_answers_from_what_the_boot_stored() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    // Before any boot.
    #[rustfmt::skip]
    let table: &[(&str, &[&str], i32, &str)] = &[
        ("cloud-init",     &["status"],                       0, "status: not started\n"),
        ("cloud-id",       &[],                               3, "not started\n"),
        ("cloud-init",     &["query", "v1.region"],           1, "nothing is known about this instance yet"),
        ("cloud-init",     &["single", "-n", "runcmd"],       1, "nothing is stored"),
        ("cloud-init",     &["schema", "--system"],           1, "it is not known yet"),
        ("cloud-init",     &["analyze", "blame"],             1, "no report of this boot"),
        ("cloud-init-per", &["instance", "a", "true"],        1, "it is not known yet"),
    ];
    check(&debian, table);
    debian.booted_with(USER_DATA, &["boot"]);
    #[rustfmt::skip]
    let table: &[(&str, &[&str], i32, &str)] = &[
        ("cloud-init", &["status"],                                      0, "status: done\n"),
        ("cloud-init", &["status", "--wait"],                            0, "status: done\n"),
        ("cloud-init", &["status", "--long"],                            0, "\ndetail: DataSourceNoCloud\nerrors: []\nrecoverable_errors: {}\n"),
        ("cloud-init", &["status", "--format", "yaml"],                  0, "---\nboot_status_code: "),
        ("cloud-id",   &[],                                              0, "nocloud\n"),
        ("cloud-id",   &["--long"],                                      0, "nocloud\tNone\n"),
        ("cloud-init", &["query", "v1.instance_id"],                     0, "i-1\n"),
        ("cloud-init", &["query", "instance-id"],                        0, "i-1\n"),
        ("cloud-init", &["query", "ds.meta_data.local_hostname"],        0, "one\n"),
        ("cloud-init", &["query", "userdata"],                           0, USER_DATA),
        ("cloud-init", &["query", "combined_cloud_config.runcmd"],       0, "[\n \"echo ran\"\n]\n"),
        ("cloud-init", &["query", "--list-keys", "ds"],                  0, "_doc\nmeta_data\n"),
        ("cloud-init", &["query", "-f", "{{ instance_id }}/{{ distro }}"], 0, "i-1/debian\n"),
        ("cloud-init", &["query", "-f", "{{ nosuch }}"],                 0, "CI_MISSING_JINJA_VAR/nosuch\n"),
        ("cloud-init", &["query", "-f", "{% if %}"],                     1, "cannot be rendered"),
        ("cloud-init", &["query", "nosuch"],                             1, "no instance-data key `nosuch`"),
        ("cloud-init", &["query", "v1.nosuch"],                          1, "`v1` has no `nosuch`"),
        ("cloud-init", &["schema", "--system"],                          0, "Valid schema user-data\n"),
        ("cloud-init", &["single", "--name", "cc_nosuch"],               1, "there is no module `nosuch`"),
        ("cloud-init", &["single", "--name", "reset_rmc"],               1, "this version does not do it"),
        ("cloud-init", &["single", "--name", "runcmd", "word"],          1, "takes no arguments"),
        ("cloud-init", &["single", "--name", "scripts-user"],            0, "skipped: done before"),
        ("cloud-init", &["modules", "--mode", "final"],                  0, ""),
        ("cloud-init", &["modules", "--mode=init"],                      0, ""),
        ("cloud-init", &["analyze", "show"],                             0, "Finished stage: (modules-final) "),
        ("cloud-init", &["analyze", "blame"],                            0, "s (init-network/config-users_groups)\n"),
    ];
    check(&debian, table);
}

fn check(debian: &Debian, table: &[(&str, &[&str], i32, &str)]) {
    for (name, args, code, text) in table {
        let said = debian.called(name, args);
        assert_eq!(said.code, *code, "{name} {args:?}: {said:?}");
        assert!(said.text.contains(text), "{name} {args:?}: {said:?}");
    }
}

#[test]
fn a_status_in_json_has_the_keys_and_the_exit_code_of_cloud_inits() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    debian.booted_with("#!/bin/sh\nexit 3\n", &["boot"]);
    let said = debian.called("cloud-init", &["status", "--format", "json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let mut status: Value = serde_json::from_str(&said.text).unwrap();
    let update = status["last_update"].take();
    let update = update.as_str().unwrap();
    assert!(
        update.ends_with(" +0000") && !update.contains("1970"),
        "{update}"
    );
    let failure = "scripts_user/part-001: `part-001` ended with exit code 3";
    for (stage, errors) in [
        ("init-local", json!([])),
        ("init", json!([])),
        ("modules-config", json!([])),
        ("modules-final", json!([failure])),
    ] {
        let own = status[stage].take();
        assert_eq!(own["errors"], errors, "{stage}");
        assert_eq!(own["recoverable_errors"], json!({}), "{stage}");
        assert!(own["start"].is_f64() && own["finished"].is_f64(), "{own}");
    }
    assert_eq!(
        status,
        json!({
            "boot_status_code": "enabled-by-sysvinit",
            "datasource": "nocloud",
            "detail": "DataSourceNoCloud",
            "errors": [failure],
            "extended_status": "error - done",
            "init": null, "init-local": null, "modules-config": null, "modules-final": null,
            "last_update": null,
            "recoverable_errors": {},
            "stage": null,
            "status": "error",
        })
    );
    // What is ignored degrades a boot.
    debian.called("cloud-init", &["clean"]);
    debian.booted_with("#cloud-config\nno-such-key: 1\n", &["boot"]);
    let said = debian.called("cloud-init", &["status", "--long"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.text.contains("extended_status: degraded done\n"),
        "{said:?}"
    );
    assert!(
        said.text.contains("recoverable_errors:\nWARNING:\n\t- "),
        "{said:?}"
    );
    // Nothing is waited for on a machine where nothing is run.
    debian.write("etc/cloud/cloud-init.disabled", "");
    let said = debian.called("cloud-init", &["status", "--wait", "--long"]);
    assert_eq!(
        (said.code, said.text.contains("status: disabled\n")),
        (2, true),
        "{said:?}"
    );
    assert!(
        said.text
            .contains("boot_status_code: disabled-by-marker-file\n"),
        "{said:?}"
    );
    assert_eq!(debian.called("cloud-id", &[]).code, 2);
}

#[test]
fn nobody_waits_for_a_boot_whose_unit_failed() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    let systemd = |script: &str| {
        debian.called("cloud-init", &["features"]);
        debian.write("usr/local/sbin/systemctl", script);
        fs::create_dir_all(debian.path("run/systemd/system")).unwrap();
    };
    systemd("#!/bin/sh\n[ \"$1\" = is-failed ]\n");
    let said = debian.called("cloud-init", &["status", "--wait", "--long"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.text.contains("status: error\n"), "{said:?}");
    assert!(
        said.text
            .contains("errors:\n\t- a unit of firstlight failed"),
        "{said:?}"
    );
    assert!(
        said.text
            .contains("boot_status_code: enabled-by-generator\n"),
        "{said:?}"
    );
    let said = debian.booted(&["status", "--wait"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.text.contains("status: error\n"), "{said:?}");
    // What systemd knows of the beginning of a boot, in microseconds.
    systemd("#!/bin/sh\nfor last; do :; done\necho \"$last=2500000\"\n");
    let said = debian.called("cloud-init", &["analyze", "boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.text.contains("Kernel time to boot (seconds): 2.5\n"),
        "{said:?}"
    );
    assert!(
        said.text.contains("Cloud-init start: not yet\n"),
        "{said:?}"
    );
}

#[test]
fn a_module_is_done_as_often_as_it_is_asked_for() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    debian.booted_with(USER_DATA, &["boot"]);
    let count = |text: &str| text.matches("run bootcmd").count();
    for _ in 0..2 {
        let said = debian.called("cloud-init", &["single", "-n", "bootcmd"]);
        assert_eq!((said.code, count(&said.text)), (0, 1), "{said:?}");
    }
    let once = ["single", "-n", "bootcmd", "--frequency", "once"];
    assert_eq!(count(&debian.called("cloud-init", &once).text), 1);
    assert_eq!(count(&debian.called("cloud-init", &once).text), 0);
    // A file wins over what was launched.
    debian.write("more.yaml", "bootcmd: [[touch, /root/from-a-file]]\n");
    let said = debian.called(
        "cloud-init",
        &["single", "-n", "bootcmd", "--file", "/more.yaml"],
    );
    assert_eq!(said.code, 0, "{said:?}");
    debian.text("root/from-a-file");
}

#[test]
fn clean_forgets_instances_and_runs_what_the_image_lets_run() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    debian.booted_with("#!/bin/sh\n", &["boot"]);
    let script = "etc/cloud/clean.d/10-mark";
    for file in [
        "var/lib/cloud/seed/nocloud/meta-data",
        "var/lib/cloud/sem/x",
        "var/log/cloud-init.log",
    ] {
        debian.write(file, "x\n");
    }
    debian.write(script, "#!/bin/sh\necho cleaned > /root/mark\n");
    fs::set_permissions(debian.path(script), fs::Permissions::from_mode(0o755)).unwrap();
    debian.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let said = debian.called(
        "cloud-init",
        &[
            "clean",
            "--logs",
            "--machine-id",
            "-c",
            "network",
            "ssh_config",
        ],
    );
    assert_eq!(said.code, 0, "{said:?}");
    for gone in [
        "var/lib/cloud/sem",
        "var/lib/firstlight",
        "var/log/cloud-init.log",
        "etc/machine-id",
    ] {
        assert!(!debian.path(gone).exists(), "{gone}");
    }
    assert_eq!(debian.text("root/mark"), "cleaned\n");
    debian.text("var/lib/cloud/seed/nocloud/meta-data");
    assert_eq!(debian.called("cloud-init", &["clean", "--seed"]).code, 0);
    assert!(!debian.path("var/lib/cloud/seed").exists());
    debian.write(script, "#!/bin/sh\nexit 1\n");
    let said = debian.called("cloud-init", &["clean"]);
    assert_eq!(
        (said.code, said.text.contains("10-mark")),
        (1, true),
        "{said:?}"
    );
}

#[test]
fn a_script_of_the_boot_waits_for_nobody() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    debian.called("cloud-init", &["features"]);
    let user_data = "#!/bin/sh\ncloud-init single -n bootcmd; echo single $? >/root/codes\n\
                     cloud-init status >>/root/codes\n\
                     cloud-init clean --logs; echo clean $? >>/root/codes\n";
    debian.booted_with(user_data, &["boot"]);
    assert_eq!(
        debian.text("root/codes"),
        "single 1\nstatus: running\nclean 0\n"
    );
    let said = debian.called("cloud-init", &["status"]);
    assert_eq!(said.text, "status: done\n");
    assert!(
        !debian
            .path("var/lib/firstlight/instances/i-1/user-data")
            .exists()
    );
}

#[test]
fn a_command_is_run_as_often_as_its_frequency_says() {
    let Some(debian) = Debian::with_image("") else {
        return;
    };
    debian.booted_with("#!/bin/sh\n", &["boot"]);
    #[rustfmt::skip]
    let table: &[(&str, &[&str], i32, &str)] = &[
        ("cloud-init-per", &["once", "a-b", "sh", "-c", "echo one; exit 4"],      4,   "one\n"),
        ("cloud-init-per", &["once", "a_b", "sh", "-c", "echo two; exit 5"],      0,   ""),
        ("cloud-init-per", &["instance", "c", "printenv", "PATH"],                0,   "/bin"),
        ("cloud-init-per", &["instance", "c", "false"],                           0,   ""),
        ("cloud-init-per", &["always", "d", "echo", "three"],                     0,   "three\n"),
        ("cloud-init-per", &["always", "d", "echo", "three"],                     0,   "three\n"),
        ("cloud-init-per", &["once", "e", "/no/such/program"],                    127, "cannot start"),
        ("cloud-init-per", &["weekly", "f", "true"],                              1,   "is no frequency"),
    ];
    check(&debian, table);
    let said = debian.called("cloud-init-per", &["once", "a-b", "echo", "again"]);
    assert!(!said.text.contains("again"), "{said:?}");
    let record = debian.text("var/lib/cloud/sem/bootper.a_b.once");
    assert!(
        record.starts_with("4\t") && record.ends_with('\n'),
        "{record}"
    );
    debian.text("var/lib/cloud/sem/bootper.d.always");
    debian.text("var/lib/firstlight/instances/i-1/sem/bootper.c.instance");
}

#[test]
fn what_the_boot_did_not_ask_for_is_asked_for_when_somebody_wants_it() {
    let imds = Imds::start(instance("0", ""), Mood::Fair);
    let image = format!(
        "datasource_list: [Ec2]\n\
         datasource: {{Ec2: {{metadata_urls: {}, max_wait: 20, timeout: 5}}}}\n",
        json!(imds.urls())
    );
    let Some(debian) = Debian::with_image(&image) else {
        return;
    };
    debian.called("cloud-init", &["features"]);
    debian.called("cloud-id", &[]);
    let before = imds.asked().len();
    // On this machine's network, and with a host name of its own.
    let run = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--uts", "chroot"]).arg(debian.path(""));
        let output = command.args(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text, imds.asked().len())
    };
    let booted = run(&["firstlight", "boot"]).2;
    assert!(booted > before);
    #[rustfmt::skip]
    let table: &[(&[&str], &str, bool)] = &[
        // the question, the answer, whether the service is asked
        (&["cloud-init", "query", "v1.cloud_id"],                     "aws\n",                   false),
        (&["cloud-init", "query", "ds.meta_data.instance_type"],      "m4.xlarge\n",             false),
        (&["cloud-init", "query", "ds.meta_data.security_groups"],    "ura-launch-wizard-harry-1\n", true),
        (&["cloud-init", "query", "-f", "{{ ds.meta_data.security_groups }}"], "ura-launch-wizard-harry-1\n", true),
        (&["cloud-id", "-l"],                                         "aws\tus-east-1\n",        false),
    ];
    let mut so_far = booted;
    for (words, answer, asks) in table {
        let (code, text, requests) = run(words);
        assert_eq!((code, text.as_str()), (Some(0), *answer), "{words:?}");
        assert_eq!(requests > so_far, *asks, "{words:?}");
        so_far = requests;
    }
}
