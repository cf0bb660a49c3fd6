//! The built binary on the configuration of an image: what of it counts, and which modules run.

#![allow(clippy::unwrap_used, reason = "for tests only")]

mod support;

use std::fs;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

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
    let lists = "cloud_init_modules: [set-hostname, ubuntu_autoinstall, seet_hostname]\n\
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
    assert!(
        said.contains("does not do `ubuntu_autoinstall`"),
        "{plan:?}"
    );

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

    fs::remove_file(case.path("etc/hostname")).unwrap();
    let by_hand = case.run(&["run", "update_hostname"]);
    assert!(by_hand.stdout.contains("update_hostname"), "{by_hand:?}");
}

#[test]
fn a_template_among_cloud_inits_files_counts_from_the_first_boot_on() {
    let file = "## template: jinja\nhostname: h-{{ v1.instance_id }}\n\
                {% if v1.distro == 'none' %}\nfirstlight: {gate_budget: [}\n{% endif %}\n";
    let case = case(
        "#cloud-config\n{}\n",
        &[("etc/cloud/cloud.cfg.d/50-name.cfg", file)],
    );
    let plan = case.run(&["plan"]);
    assert!(plan.stdout.contains("+h-i-one"), "{plan:?}");
    assert_eq!(case.run(&["apply"]).code, 0);
    assert_eq!(case.text("etc/hostname").trim(), "h-i-one");
    let config = case.run(&["userdata", "config"]);
    assert!(config.stdout.contains("hostname: h-i-one"), "{config:?}");
    assert_eq!(case.run(&["status"]).code, 0);
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

/// Answers every request with this text; gives its address.
fn web(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ";
            write!(stream, "{head}{}\r\n\r\n{text}", text.len()).unwrap();
        }
    });
    format!("http://{address}/conf")
}

#[test]
fn the_kernel_command_line_brings_configuration_and_an_address_of_some() {
    const KEPT: &str = "etc/cloud/cloud.cfg.d/91_kernel_cmdline_url.cfg";
    let web = web("#cloud-config\nfqdn: fetched.example.com\nprefer_fqdn_over_hostname: true\n");
    #[rustfmt::skip]
    let table = [
        // command line                                      host name              what is said
        ("quiet".to_owned(),                                 "calm",                ""),
        ("quiet cc: hostname:%20typed end_cc ro".to_owned(), "typed",               ""),
        (format!("cloud-config-url={web} ro"),               "fetched.example.com", ""),
        ("cloud-config-url=/srv/conf".to_owned(),            "local",               ""),
        ("cloud-config-url=/srv/page?x=1".to_owned(),        "calm",                "there is no such file"),
        ("cloud-config-url=/srv/page".to_owned(),            "calm",                "does not begin with `#cloud-config`"),
    ];
    for (line, name, says) in table {
        let case = case(
            "#cloud-config\n{}\n",
            &[
                ("proc/cmdline", &line),
                ("srv/conf", "#cloud-config\nhostname: local\n"),
                ("srv/page", "<html>"),
            ],
        );
        let apply = case.run(&["apply"]);
        assert_eq!(case.text("etc/hostname").trim(), name, "{line}: {apply:?}");
        assert!(format!("{apply:?}").contains(says), "{line}: {apply:?}");
        let is_kept = case.path(KEPT).exists();
        assert_eq!(is_kept, line.contains("url=") && says.is_empty(), "{line}");
        if is_kept {
            assert_eq!(case.mode(KEPT) & 0o777, 0o600, "{line}");
        }
    }
}

#[test]
fn a_plan_that_would_change_a_file_says_so_though_the_rest_needs_the_live_machine() {
    let case = case("#cloud-config\n{}\n", &[]);
    let plan = case.run(&["plan", "set_hostname"]);
    for line in [
        "/etc/hostname (0644) (would make)",
        "(needs the live machine)",
    ] {
        assert!(plan.stdout.contains(line), "{plan:?}");
    }
    assert_eq!(plan.code, 2, "{plan:?}");
}
