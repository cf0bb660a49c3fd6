//! The built binary on a seed directory and a root of its own, as a newcomer meets it.

mod support;

use support::Case;

#[test]
fn the_web_server_example_is_planned_applied_and_left_alone_afterwards() {
    let case = Case::example("examples/web-server");

    let plan = case.run(&["plan"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    assert!(plan.stdout.contains("/etc/hostname"), "{plan:?}");
    assert!(!case.root().exists(), "planning made the root");

    let first = case.run(&["apply"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(case.text("etc/hostname").trim(), "web-1");
    assert!(case.path("var/www/html/index.html").is_file(), "{first:?}");
    assert!(
        case.text("run/firstlight/role.env")
            .contains("FIRSTLIGHT_ROLE=")
    );

    let second = case.run(&["apply"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stdout.contains("nothing changed"), "{second:?}");
}

#[test]
fn status_tells_what_the_boot_cost() {
    let case = Case::example("examples/web-server");
    assert_eq!(case.run(&["boot"]).code, 0);
    let status = case.run(&["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let used = status["report"]["used"].as_array().unwrap();
    assert_eq!(used.len(), 1, "one process did it all: {used:?}");
    for figure in ["cpu_us", "peak_memory_kib"] {
        assert!(used[0][figure].as_u64().unwrap() > 0, "{figure}: {used:?}");
    }
    let status = case.run(&["status", "--long"]);
    assert!(status.stdout.contains("of processor time"), "{status:?}");
}

#[test]
fn the_command_line_tells_what_is_wrong_with_it() {
    let case = Case::example("examples/web-server");
    #[rustfmt::skip]
    let table: [(&[&str], i32, &str); 4] = [
        (&["frobnicate"],          64, "frobnicate"),
        (&["run", "nosuch"],       1,  "the modules are"),
        (&["run", "content"],      1,  "nothing is stored about this instance yet"),
        (&["semaphores", "reset"], 1,  "name what to forget"),
    ];
    for (args, code, says) in table {
        let answer = case.run(args);
        assert_eq!(answer.code, code, "{args:?}: {answer:?}");
        assert!(answer.stderr.contains(says), "{args:?}: {answer:?}");
    }
}

#[test]
fn a_new_instance_id_is_a_new_machine_and_the_old_one_is_kept() {
    let case = Case::made(
        "#!/bin/sh\ntrue\n",
        "instance-id: i-one\nlocal-hostname: one\n",
    );
    assert_eq!(case.run(&["apply"]).code, 0);
    assert_eq!(case.text("etc/hostname").trim(), "one");

    case.write_seed("meta-data", "instance-id: i-two\nlocal-hostname: two\n");
    assert_eq!(case.run(&["apply"]).code, 0);
    assert_eq!(case.text("etc/hostname").trim(), "two");
    for id in ["i-one", "i-two"] {
        assert!(
            case.path(&format!("var/lib/firstlight/instances/{id}/journal"))
                .is_file(),
            "{id}"
        );
    }
    let query = case.run(&["query", "v1.instance_id"]);
    assert_eq!(query.stdout.trim(), "i-two", "{query:?}");
}

#[test]
fn what_is_secret_is_readable_by_its_owner_alone_and_never_printed() {
    let secret = "correct-horse-battery";
    let script = format!("#!/bin/sh\necho {secret} >/dev/null\n");
    let case = Case::made(&script, "instance-id: i-one\n");
    for args in [
        &["plan"][..],
        &["apply"],
        &["status"],
        &["semaphores", "list"],
        &["query"],
    ] {
        let answer = case.run(args);
        assert!(
            !format!("{answer:?}").contains(secret),
            "{args:?}: {answer:?}"
        );
    }
    for (path, mode) in case.files_holding(secret) {
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
    }
    assert_eq!(case.mode("var/lib/firstlight/instances/i-one") & 0o077, 0);
}

#[test]
fn bad_input_is_named_with_its_place_and_the_rest_goes_on() {
    #[rustfmt::skip]
    let table = [
        // user data                                        what is said
        ("#cloud-config\nhostname: [a, b]\n",               ":2:"),
        ("#cloud-config\nhostname: a\n  b: c\n",            ":3:"),
        ("#cloud-config\n- a list\n",                       "mapping"),
        ("#cloud-config\nruncmd: [ls, true]\n",             ":2:"),
        ("#include\nftp://example.com/x\n",                 "no part of the user data is used"),
        ("\u{7f}ELF",                                       "nobody handles"),
    ];
    for (user_data, says) in table {
        let case = Case::made(user_data, "instance-id: i-one\nlocal-hostname: calm\n");
        let apply = case.run(&["apply"]);
        let said = format!("{}{}", apply.stdout, apply.stderr);
        assert!(said.contains(says), "{user_data:?}: {apply:?}");
        let status = case.run(&["status"]);
        assert_ne!(status.code, 0, "{user_data:?}: {status:?}");
        let role = case.run(&["query", "v1.instance_id"]);
        assert_eq!(
            role.stdout.trim(),
            "i-one",
            "{user_data:?}: the boot did not go on"
        );
    }
}

#[test]
fn user_data_over_the_limit_is_refused_and_the_machine_still_gets_its_name() {
    let big = format!("#cloud-config\n# {}\n", "x".repeat(70 * 1024));
    let case = Case::made(&big, "instance-id: i-one\nlocal-hostname: calm\n");
    let apply = case.run(&["apply"]);
    assert!(format!("{apply:?}").contains("64 KiB"), "{apply:?}");
}

#[test]
fn what_user_data_says_does_nothing_to_the_terminal_that_shows_it() {
    let user_data = "#cloud-config\nwrite_files:\n\
        - {path: \"/etc/a\\e[31m\\nerror: all is lost\", content: \"\\e[2Jx\\ty\\n\"}\n\
        - {path: /etc/b, owner: \"no\\e[31mbody\\nerror: all is lost\"}\n";
    let case = Case::made(user_data, "instance-id: i-1\n");
    let plan = case.run(&["plan"]).stdout;
    assert!(plan.contains("+\u{fffd}[2Jx\ty\n"), "{plan:?}");
    for args in [&["plan"][..], &["apply"], &["status", "--long"]] {
        let said = case.run(args);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains('\u{1b}'), "{args:?}: {all:?}");
        assert!(!all.contains("\nerror: all"), "{args:?}: {all:?}");
    }
}
