use contract::testing::FakeMachine;

use super::*;

#[test]
fn later_files_win_dicts_are_joined_lists_are_not_and_a_broken_file_costs_itself() {
    let machine = FakeMachine::with(&[
        ("/etc/cloud/cloud.cfg", "a: {x: 1, y: 1}\nl: [1, 2]\n"),
        ("/etc/cloud/cloud.cfg.d/05.cfg", "a: {y: 2}\nl: [3]\n"),
        ("/etc/cloud/cloud.cfg.d/README", "- not read\n"),
        ("/etc/firstlight/config.d/10.yaml", "a: {z: 3}\n"),
        ("/etc/firstlight/config.d/20.yaml", "a: [\n"),
        ("/etc/firstlight/config.d/30.yaml", "- a list\n"),
    ]);
    let image = load(&machine);
    let number = |key: &str| image.config.get("a").and_then(|a| a.get(key)?.as_int());
    assert_eq!(
        (number("x"), number("y"), number("z")),
        (Some(1), Some(2), Some(3))
    );
    assert_eq!(
        image
            .config
            .get("l")
            .and_then(|l| l.as_list())
            .map(<[_]>::len),
        Some(1)
    );
    let sources: Vec<String> = image
        .problems
        .iter()
        .filter_map(|problem| Some(problem.place.as_ref()?.source.to_string()))
        .collect();
    assert_eq!(
        sources,
        [
            "/etc/firstlight/config.d/20.yaml",
            "/etc/firstlight/config.d/30.yaml"
        ]
    );
}

fn seen(files: &[(&str, &str)]) -> (Config, Vec<String>) {
    let image = load(&FakeMachine::with(files));
    let problems = image.problems.iter().map(ToString::to_string).collect();
    (image.config, problems)
}

#[test]
fn each_source_wins_over_those_below_it() {
    let sources = [
        ("/etc/cloud/cloud.cfg", "0"),
        ("/etc/cloud/cloud.cfg.d/05_a.cfg", "1"),
        ("/etc/cloud/cloud.cfg.d/90_b.cfg", "2"),
        ("/run/cloud-init/cloud.cfg", "3"),
        ("/etc/firstlight/config.yaml", "4"),
        ("/etc/firstlight/config.d/a.yaml", "5"),
        ("/etc/firstlight/config.d/b.yaml", "6"),
        ("/proc/cmdline", "7"),
    ];
    let texts = sources.map(|(path, level)| match path {
        "/proc/cmdline" => (path, format!("ro cc: {{v: {level}, w{level}: 1}} end_cc")),
        _ => (path, format!("v: {level}\nw{level}: 1\n")),
    });
    for count in 1..=texts.len() {
        let files = texts
            .iter()
            .take(count)
            .map(|(path, text)| (*path, text.as_str()));
        let (config, problems) = seen(&files.collect::<Vec<_>>());
        assert_eq!(problems, Vec::<String>::new());
        let value = config.get("v").and_then(yaml::Value::as_int);
        assert_eq!(value, i128::try_from(count - 1).ok());
        assert_eq!(config.root().len(), count + 1);
    }
}

#[test]
fn conf_d_moves_the_directory_or_switches_it_off() {
    #[rustfmt::skip]
    let table = [
        ("a: 1",                Some(1), 0),
        ("conf_d: /srv/conf.d", Some(2), 0),
        ("conf_d: ''",          None,    0),
        ("conf_d:",             None,    0),
        ("conf_d: [1]",         Some(1), 1),
        ("conf_d: srv",         Some(1), 1),
    ];
    for (text, want, problems) in table {
        let (config, found) = seen(&[
            ("/etc/cloud/cloud.cfg", text),
            ("/etc/cloud/cloud.cfg.d/x.cfg", "x: 1"),
            ("/etc/cloud/cloud.cfg.d/sub.cfg/y", "x: 3"),
            ("/srv/conf.d/x.cfg", "x: 2"),
        ]);
        assert_eq!(
            config.get("x").and_then(yaml::Value::as_int),
            want,
            "{text}"
        );
        assert_eq!(found.len(), problems, "{text}: {found:?}");
    }
}

#[test]
fn the_kernel_command_line_is_named_where_it_is_wrong() {
    let (_, problems) = seen(&[("/proc/cmdline", "quiet cc: a: [ end_cc")]);
    assert!(
        problems[0].starts_with("kernel command line:1:"),
        "{problems:?}"
    );
    let (_, problems) = seen(&[("/proc/cmdline", "cc: - a")]);
    assert_eq!(
        problems,
        ["kernel command line: configuration ignored: expected a mapping, found a list"]
    );
}

#[test]
fn a_file_of_cloud_init_may_say_how_it_is_merged() {
    let how = "merge_how: list(append)+dict(recurse_list)";
    let (config, problems) = seen(&[
        ("/etc/cloud/cloud.cfg", &format!("l: [0]\n{how}\n")),
        ("/etc/cloud/cloud.cfg.d/1.cfg", &format!("l: [1]\n{how}\n")),
        ("/etc/cloud/cloud.cfg.d/2.cfg", "l: [2]"),
    ]);
    let list = config.get("l").and_then(|l| l.as_list()).unwrap();
    let list: Vec<_> = list.iter().filter_map(yaml::Value::as_int).collect();
    assert_eq!((list, problems), (vec![2, 1, 0], Vec::new()));
}

#[test]
fn a_file_of_cloud_inits_may_be_a_template_which_says_more_when_the_instance_is_known() {
    let header = "## template: jinja\n";
    #[rustfmt::skip]
    let table = [
        // path                            behind the header                            a before, and after       problems after
        ("/etc/cloud/cloud.cfg",           "a: x-{{ v1.instance_id }}\n",               Some("x-{{ v1.instance_id }}"), Some("x-i-1"), ""),
        ("/etc/cloud/cloud.cfg.d/1.cfg",   "{% if v1.cloud_name %}\na: '1'\n{% endif %}\n", None,           Some("1"),     ""),
        ("/etc/cloud/cloud.cfg.d/1.cfg",   "a: {{ v1.nope }}\n",                        None,                     Some("CI_MISSING_JINJA_VAR/nope"), "1.cfg: the template names `nope`"),
        ("/etc/cloud/cloud.cfg.d/1.cfg",   "a: '1'\n{{ v1.nope.more }}\n",              None,                     None,          "1.cfg:3:1: file ignored: the template"),
        ("/etc/cloud/cloud.cfg.d/1.cfg",   "a: '1'\n{% if %}\n",                        None,                     None,          "1.cfg:3:1: file ignored: the template"),
        ("/etc/cloud/cloud.cfg.d/1.cfg",   "a: {{ v1.instance_id }}: [\n",              None,                     None,          "1.cfg:2:7: file ignored: "),
        ("/etc/firstlight/config.yaml",    "a: '{{ v1.instance_id }}'\n",               Some("{{ v1.instance_id }}"), Some("{{ v1.instance_id }}"), ""),
        ("/run/cloud-init/cloud.cfg",      "a: '{{ v1.instance_id }}'\n",               Some("{{ v1.instance_id }}"), Some("{{ v1.instance_id }}"), ""),
    ];
    for (path, text, before, after, says) in table {
        let text = format!("{header}{text}");
        let machine = FakeMachine::with(&[(path, &text)]);
        let a = |image: &Image| {
            let value = image.config.get("a").and_then(yaml::Value::as_str);
            value.map(str::to_owned)
        };
        let first = load(&machine);
        assert_eq!(a(&first).as_deref(), before, "{text}");
        assert_eq!(first.problems, [], "{text}");
        let then = load_for(&machine, &contract::testing::instance());
        assert_eq!(a(&then).as_deref(), after, "{text}");
        let problems: Vec<String> = then.problems.iter().map(ToString::to_string).collect();
        let told = problems.iter().any(|problem| problem.contains(says));
        assert!(
            problems.is_empty() == says.is_empty() && (told || says.is_empty()),
            "{problems:?}"
        );
    }
}

/// A machine whose file `/etc/cloud/cloud.cfg.d/90.cfg` is for root alone.
struct Locked(FakeMachine);

impl Probe for Locked {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match path.ends_with("90.cfg") {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => self.0.read(path),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
        self.0.list(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        self.0.kind(path)
    }
}

#[test]
fn a_file_that_this_user_cannot_read_is_named_and_the_others_count() {
    let files = [
        ("/etc/cloud/cloud.cfg", "a: 1"),
        ("/etc/cloud/cloud.cfg.d/90.cfg", "a: 2"),
    ];
    let image = load(&Locked(FakeMachine::with(&files)));
    assert_eq!(image.config.get("a").and_then(yaml::Value::as_int), Some(1));
    let problems: Vec<String> = image.problems.iter().map(ToString::to_string).collect();
    let want = "/etc/cloud/cloud.cfg.d/90.cfg: not read: permission denied (run as root to know what it says)";
    assert_eq!(problems, [want]);
}

#[test]
fn a_file_with_a_bad_merge_how_is_left_out_and_named() {
    let (config, problems) = seen(&[
        ("/etc/cloud/cloud.cfg", "b: 1\nmerge_how: append"),
        ("/etc/cloud/cloud.cfg.d/1.cfg", "a: 1"),
    ]);
    assert_eq!(
        (config.get("a").is_some(), config.get("b").is_some()),
        (true, false)
    );
    assert!(
        problems[0].starts_with("/etc/cloud/cloud.cfg:2:12: file ignored: `merge_how`"),
        "{problems:?}"
    );
}
