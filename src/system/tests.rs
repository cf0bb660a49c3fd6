//! Effects on a small tree, as root and as anybody.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use contract::effect::{
    AuthorizedKeysSpec, CommandSpec, Effect, Mode, Program, ToolSpec, UserSpec,
};
use contract::error::EffectError;
use contract::machine::{Change, FileKind, Machine, NotDone, Probe};
use contract::name::UserName;
use contract::output::{Output, Stream};
use contract::secret::Secret;

use crate::commands::{self, Start};
use crate::kit::Kit;
use crate::{DryRun, Host, RunLock, boot_id, random32, remove_state};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabcdefgh";

/// A directory that is removed with all that is in it.
pub(crate) struct Tree(PathBuf);

impl Tree {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("firstlight-system-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With a user `me` who is the one that runs the test.
    fn with_me() -> Self {
        let tree = Self::new();
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        fs::create_dir_all(tree.at("etc")).unwrap();
        fs::create_dir_all(tree.at("home/me")).unwrap();
        let line = format!("me:x:{uid}:{gid}::/home/me:/bin/sh\n");
        fs::write(tree.at("etc/passwd"), line).unwrap();
        tree
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(&self.0).unwrap()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.at(path)).unwrap().permissions().mode() & 0o7777
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn links_are_shown_as_they_are_and_what_is_free_where_there_is_a_directory() {
    let tree = Tree::new();
    fs::create_dir(tree.at("dev")).unwrap();
    symlink("../dev/nvme1n1", tree.at("dev/sdf")).unwrap();
    fs::write(tree.at("dev/nvme1n1"), "").unwrap();
    let host = tree.host();
    let dry = DryRun::new(&host);
    let probes: [&dyn Probe; 2] = [&host, &dry];
    for probe in probes {
        let link = |path: &str| probe.link(Path::new(path)).unwrap();
        assert_eq!(link("/dev/sdf"), Some(PathBuf::from("../dev/nvme1n1")));
        for path in ["/dev/nvme1n1", "/dev", "/", "/dev/nosuch", "/nosuch/sdf"] {
            assert_eq!(link(path), None, "{path}");
        }
        assert!(probe.free(Path::new("/dev")).unwrap().is_some());
        assert_eq!(probe.free(Path::new("/nosuch")).unwrap(), None);
    }
}

fn keys(line: &str, options: Option<&str>) -> Effect {
    Effect::AuthorizedKeys(AuthorizedKeysSpec {
        user: "me".parse().unwrap(),
        keys: vec![line.to_owned().try_into().unwrap()],
        options: options.map(ToOwned::to_owned),
    })
}

fn command(program: Program) -> CommandSpec {
    CommandSpec {
        label: "part-001".into(),
        program,
        env: vec![("COLOUR".into(), "blue".into())],
        timeout: None,
    }
}

#[test]
fn a_file_is_written_once_with_its_mode_and_its_parents() {
    let tree = Tree::new();
    let secret = Secret::new(b"x".to_vec());
    let effect = Effect::secret_file("/a/b/file", secret, Mode::new(0o4750));
    assert_eq!(tree.host().apply(&effect).unwrap(), Change::MADE);
    assert_eq!(tree.host().apply(&effect).unwrap(), Change::AlreadySo);
    assert_eq!((tree.mode("a/b/file"), tree.mode("a/b")), (0o4750, 0o755));
    assert_eq!(fs::read_dir(tree.at("a/b")).unwrap().count(), 1);
}

#[test]
fn a_link_never_leads_out_of_the_root() {
    let outside = Tree::new();
    fs::write(outside.at("victim"), "safe").unwrap();
    let tree = Tree::new();
    symlink(outside.at("victim"), tree.at("file")).unwrap();
    symlink(&outside.0, tree.at("dir")).unwrap();
    let host = tree.host();
    assert_eq!(host.read(Path::new("/file")).unwrap(), None);
    host.apply(&Effect::file("/file", "evil")).unwrap();
    assert!(host.apply(&Effect::file("/dir/victim", "evil")).is_err());
    assert!(host.apply(&Effect::file("/../up", "mine")).is_ok());
    assert_eq!(outside.text("victim"), "safe");
    assert_eq!(
        (tree.text("file"), tree.text("up")),
        ("evil".into(), "mine".into())
    );
}

#[test]
fn a_link_inside_the_root_is_followed_and_stays() {
    let tree = Tree::new();
    fs::write(tree.at("real"), "old").unwrap();
    symlink("/real", tree.at("link")).unwrap();
    tree.host().apply(&Effect::file("/link", "new")).unwrap();
    assert_eq!(tree.text("real"), "new");
    assert_eq!(
        tree.host().kind(Path::new("/link")).unwrap(),
        Some(FileKind::Link)
    );
}

#[test]
fn an_unwritable_place_is_an_error() {
    let host = Host::new(Path::new("/")).unwrap();
    let error = host
        .apply(&Effect::file("/proc/firstlight", "x"))
        .unwrap_err();
    assert!(matches!(error, EffectError::Write { .. }), "{error}");
}

#[test]
fn directories_links_and_absence_are_brought_about_once() {
    let tree = Tree::new();
    let directory = Effect::Directory {
        at: "/d".into(),
        mode: Mode::new(0o700),
        owner: contract::effect::Owner::Root,
    };
    let link = Effect::Link {
        at: "/l".into(),
        to: "/d".into(),
    };
    let absent = Effect::Absent { at: "/l".into() };
    for effect in [directory, link, absent] {
        assert_eq!(
            tree.host().apply(&effect).unwrap(),
            Change::MADE,
            "{effect}"
        );
        assert_eq!(
            tree.host().apply(&effect).unwrap(),
            Change::AlreadySo,
            "{effect}"
        );
    }
    assert_eq!(tree.mode("d"), 0o700);
}

#[test]
fn authorized_keys_are_merged() {
    let tree = Tree::with_me();
    let host = tree.host();
    fs::create_dir(tree.at("home/me/.ssh")).unwrap();
    let old = format!("# mine\nssh-rsa AAAAB3NzaC1yc2EAAAAother other\n{KEY} old");
    fs::write(tree.at("home/me/.ssh/authorized_keys"), old).unwrap();
    assert_eq!(
        host.apply(&keys(&format!("{KEY} new"), None)).unwrap(),
        Change::MADE
    );
    let file = "home/me/.ssh/authorized_keys";
    let merged = format!("# mine\nssh-rsa AAAAB3NzaC1yc2EAAAAother other\n{KEY} new\n");
    assert_eq!(tree.text(file), merged);
    host.apply(&keys(KEY, Some("no-pty"))).unwrap();
    assert!(tree.text(file).ends_with(&format!("\nno-pty {KEY}\n")));
}

#[test]
fn a_link_in_a_home_is_refused() {
    let tree = Tree::with_me();
    fs::create_dir(tree.at("etc/ssh")).unwrap();
    symlink("/etc/ssh", tree.at("home/me/.ssh")).unwrap();
    let error = tree.host().apply(&keys(KEY, None)).unwrap_err();
    assert!(matches!(error, EffectError::Refused { .. }), "{error}");
    assert_eq!(fs::read_dir(tree.at("etc/ssh")).unwrap().count(), 0);
}

#[test]
fn a_tree_without_useradd_gets_no_users() {
    let tree = Tree::new();
    let why = if tree.host().privileged {
        NotDone::NeedsLiveMachine
    } else {
        NotDone::NeedsRoot
    };
    let user = Effect::user(UserSpec::new("ada".parse().unwrap()));
    assert_eq!(tree.host().apply(&user).unwrap(), Change::NotDone(why));
    let run = Effect::Run(command(Program::Shell("true".into())));
    let text = "hello\n".to_owned();
    let why = NotDone::NeedsLiveMachine;
    for effect in [run, Effect::Console { text }] {
        let dry = DryRun::new(&tree.host()).apply(&effect).unwrap();
        assert_eq!(dry, Change::NotDone(why), "{effect}");
        let done = tree.host().apply(&effect).unwrap();
        assert_eq!(done, Change::NotDone(why), "{effect}");
    }
}

#[test]
fn a_command_ends_as_it_says() {
    let host = Host::new(Path::new("/")).unwrap();
    let shell = |line: &str| host.apply(&Effect::Run(command(Program::Shell(line.into()))));
    assert!(
        shell("test $COLOUR$HOME = blue && test $PWD = /")
            .unwrap()
            .is_change()
    );
    let error = shell("exit 3").unwrap_err();
    assert_eq!(error.to_string(), "`part-001` ended with exit code 3");
    let mut slow = command(Program::Shell("sleep 60".into()));
    slow.timeout = Some(Duration::from_millis(20));
    let error = host.apply(&Effect::Run(slow)).unwrap_err();
    assert_eq!(error.to_string(), "`part-001` did not end within 0.02 s");
}

#[test]
fn a_script_needs_its_first_line() {
    let tree = Tree::new();
    let host = Host::new(Path::new("/")).unwrap();
    for (text, good) in [("#!/bin/sh\ntrue\n", true), ("true\n", false)] {
        let at = tree.at("script");
        fs::write(&at, text).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o700)).unwrap();
        let result = host.apply(&Effect::Run(command(Program::Script(at))));
        assert_eq!(result.is_ok(), good, "{text}: {result:?}");
    }
}

#[test]
fn a_dry_run_changes_nothing_and_sees_what_it_would_have_changed() {
    let tree = Tree::with_me();
    fs::write(tree.at("etc/motd"), "old\n").unwrap();
    let host = tree.host();
    let dry = DryRun::new(&host);
    let effect = Effect::file("/etc/motd", "new\n");
    let Change::WouldMake { diff } = dry.apply(&effect).unwrap() else {
        panic!("no change");
    };
    assert!(
        diff.contains(&"-old".into()) && diff.contains(&"+new".into()),
        "{diff:?}"
    );
    assert_eq!(dry.apply(&effect).unwrap(), Change::AlreadySo);
    assert_eq!(tree.text("etc/motd"), "old\n");
    assert!(dry.apply(&keys(KEY, None)).unwrap().is_change());
    let secret = Secret::new(b"hunter2".to_vec());
    let shown = dry.apply(&Effect::secret_file("/k", secret, Mode::PRIVATE));
    assert!(!format!("{shown:?}").contains("hunter2"));
}

#[test]
fn a_dry_run_and_a_real_one_agree_on_what_cannot_be_done_here() {
    let tree = Tree::with_me();
    let host = tree.host();
    let group: UserName = "crew".parse().unwrap();
    let script = Effect::secret_file(
        "/script",
        Secret::new(b"#!/bin/sh\n".to_vec()),
        Mode::PRIVATE_EXEC,
    );
    let effects = [
        Effect::Group(group.clone()),
        Effect::user(UserSpec::new("eve".parse().unwrap())),
        Effect::Run(command(Program::Shell("true".into()))),
        Effect::Run(command(Program::Argv(vec!["/bin/true".into()]))),
        script,
        Effect::Run(command(Program::Script("/script".into()))),
    ];
    let dry = DryRun::new(&host);
    let foretold: Vec<Change> = effects
        .iter()
        .map(|effect| dry.apply(effect).unwrap())
        .collect();
    for (effect, foretold) in effects.iter().zip(foretold) {
        match (host.apply(effect).unwrap(), foretold) {
            (Change::NotDone(done), Change::NotDone(said)) => assert_eq!(done, said, "{effect}"),
            (done, said) => assert!(
                done.is_change() && said.is_change(),
                "{effect}: {done:?}, {said:?}"
            ),
        }
    }
    if nix::unistd::geteuid().is_root() {
        fs::create_dir_all(tree.at("usr/sbin")).unwrap();
        fs::write(tree.at("usr/sbin/groupadd"), "").unwrap();
        assert!(dry.apply(&Effect::Group(group)).unwrap().is_change());
        assert!(dry.group("crew").unwrap().is_some());
    }
}

#[test]
fn code_that_sets_no_limit_has_the_one_of_the_image() {
    let mut host = Host::new(Path::new("/")).unwrap();
    host.limit_code(Some(Duration::from_millis(20)));
    let error = host.apply(&Effect::Run(command(Program::Shell("sleep 60".into()))));
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "`part-001` did not end within 0.02 s");
}

#[test]
fn state_is_appended_to_locked_and_removed() {
    let tree = Tree::new();
    let host = tree.host();
    let path = Path::new("/var/lib/firstlight/journal");
    host.append(path, b"a\n", true).unwrap();
    host.append(path, b"b\n", false).unwrap();
    host.settle().unwrap();
    assert_eq!(tree.text("var/lib/firstlight/journal"), "a\nb\n");
    let held = RunLock::acquire(&host, false).unwrap();
    assert!(held.is_some() && RunLock::acquire(&host, false).unwrap().is_none());
    assert_eq!(remove_state(&host).unwrap().len(), 2);
    assert!(remove_state(&host).unwrap().is_empty());
    assert_eq!(boot_id(&host), None);
    assert_ne!(random32().unwrap(), random32().unwrap());
}

#[test]
fn output_goes_where_the_stage_says_and_is_readable_by_administrators_alone() {
    let tree = Tree::new();
    let host = Host::new(Path::new("/")).unwrap();
    let say = |words: &str| {
        host.apply(&Effect::Run(command(Program::Shell(words.into()))))
            .unwrap()
    };
    let at = |name: &str| tree.at(name);
    fs::write(at("replaced"), "old\n").unwrap();
    host.redirect(Output {
        out: Stream::Replace(at("replaced")),
        err: Some(Stream::Append(at("errors"))),
    });
    say("echo one; echo bad >&2");
    say("echo two");
    assert_eq!(tree.text("replaced"), "one\ntwo\n", "it is emptied once");
    assert_eq!(tree.text("errors"), "bad\n");
    let mode = fs::metadata(at("errors")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);

    let piped = at("piped");
    host.redirect(Output {
        out: Stream::Pipe(format!(
            "sed s/^/saw:/ > {}; echo end > {}",
            piped.display(),
            at("end").display()
        )),
        err: None,
    });
    say("echo one; echo two >&2");
    crate::output::note(&host, "the end\n").unwrap();
    // Another stage: the pipe is closed, and its command comes to its end.
    host.redirect(Output::default());
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while !at("end").exists() && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    assert_eq!(tree.text("piped"), "saw:one\nsaw:two\nsaw:the end\n");
    let mode = fs::metadata(&piped).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o7777,
        0o640,
        "what a command makes of it is no more open"
    );
}

#[test]
fn a_tool_is_left_where_it_is_not_needed_or_cannot_be_run() {
    let tree = Tree::new();
    fs::write(tree.at("made"), "").unwrap();
    let host = tree.host();
    let tool = || ToolSpec::new("it", ["no-such-tool", "--make"]);
    let not_done = if host.privileged {
        NotDone::NeedsLiveMachine
    } else {
        NotDone::NeedsRoot
    };
    #[rustfmt::skip]
    let table = [
        (tool().creates("/made"),     Change::AlreadySo),
        (tool().creates("/absent"),   Change::NotDone(not_done)),
        (tool(),                      Change::NotDone(not_done)),
        (tool().live_only(),          Change::NotDone(NotDone::NeedsLiveMachine)),
    ];
    for (spec, change) in table {
        let effect = Effect::tool(spec);
        assert_eq!(host.apply(&effect).unwrap(), change, "{effect:?}");
        assert_eq!(DryRun::new(&host).apply(&effect).unwrap(), change);
    }
}

#[test]
fn busybox_is_known_by_the_link_to_it() {
    let table = [
        // useradd, adduser is a link          whose tools are used
        (false, Some(true), Kit::Busybox),
        (true, Some(true), Kit::Shadow),
        // Debian's own adduser, so that useradd is what is missing, and is named.
        (false, Some(false), Kit::Shadow),
        (false, None, Kit::Shadow),
    ];
    for (useradd, adduser, kit) in table {
        let tree = Tree::new();
        fs::create_dir_all(tree.at("usr/sbin")).unwrap();
        if useradd {
            fs::write(tree.at("usr/sbin/useradd"), "").unwrap();
        }
        match adduser {
            Some(true) => symlink("/bin/busybox", tree.at("usr/sbin/adduser")).unwrap(),
            Some(false) => fs::write(tree.at("usr/sbin/adduser"), "").unwrap(),
            None => {}
        }
        assert_eq!(Kit::of(&tree.host()), kit, "{useradd} {adduser:?}");
    }
}

#[test]
fn a_program_may_read_its_input_as_a_file_or_not_at_all() {
    const MUCH: &[u8] = &[b'a'; 1 << 20];
    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);
    #[rustfmt::skip]
    let table = [
        // what it does                                       its input      how long    whether it ends well
        (r#"test "$(cat)" = hunter2"#,                        &b"hunter2"[..], LONG,     true),
        (r#"test "$(cat /dev/stdin)" = hunter2"#,             b"hunter2",      LONG,     true),
        (r#"read a && read b && test $a$b = hunter2"#,        b"hunt\ner2\n",  LONG,     true),
        (r#"test "$(cat /dev/stdin | wc -c)" -eq 1048576"#,   MUCH,            LONG,     true),
        ("true",                                              MUCH,            LONG,     true),
        ("exec sleep 3600",                                   MUCH,            SHORT,    false),
    ];
    let tree = Tree::new();
    let mut host = Host::new(Path::new("/")).unwrap();
    host.output_log = tree.at("output.log");
    for (line, stdin, timeout, wanted) in table {
        let argv = ["sh", "-c", line].map(ToOwned::to_owned);
        let is_taken = commands::takes(&host, &argv, stdin, timeout).unwrap();
        assert_eq!(is_taken, wanted, "{line}");
        let start = Start {
            argv: &argv,
            label: "sh",
            env: &[],
            stdin,
            timeout: Some(timeout),
            is_ours: true,
            is_beside: false,
            kept: None,
        };
        assert_eq!(commands::spawn(&host, &start).is_ok(), wanted, "{line}");
    }
}
