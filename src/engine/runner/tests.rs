use std::path::Path;

use contract::config::Config;
use contract::custom::Nobody;
use contract::effect::{CommandSpec, Effect, Program};
use contract::module::{Facts, Module, NoKeys, Wake};
use contract::params::Params;
use contract::report::{Health, Report};
use contract::secret::Secret;
use contract::testing::{FakeMachine, instance};

use super::*;
use crate::cloud_init::Marks;

const DIR: &str = "/var/lib/firstlight/instances/i-1";
const JOURNAL: &str = "append /var/lib/firstlight/instances/i-1/journal durable";

const fn facts(name: &'static str) -> Facts {
    Facts {
        name,
        summary: "for tests",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: &[],
    }
}

fn run(label: &str) -> Effect {
    Effect::Run(CommandSpec {
        label: label.to_owned(),
        program: Program::Shell("true".to_owned()),
        env: Vec::new(),
        timeout: None,
    })
}

struct Scripts;
impl Module for Scripts {
    const FACTS: Facts = facts("scripts");
    type Section = NoKeys;
    fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
        ["one", "two"]
            .map(|name| Step::new(name, [run(name)]))
            .into_iter()
            .collect()
    }
}

struct Files;
impl Module for Files {
    const FACTS: Facts = facts("files");
    type Section = NoKeys;
    fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
        let mut watched = Step::new("b", [Effect::file("/b", "b")]);
        watched.on_change = vec![run("reload")];
        [Step::new("a", [Effect::file("/a", "a")]), watched]
            .into_iter()
            .collect()
    }
}

struct Chain;
impl Module for Chain {
    const FACTS: Facts = facts("chain");
    type Section = NoKeys;
    fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
        [
            Step::new("a", [Effect::file("/a", "a")]),
            Step::new("b", [Effect::file("/b", "b")]).after_previous(),
            Step::new("c", [run("c")]).after_previous(),
            Step::new("d", [run("d")]),
        ]
        .into_iter()
        .collect()
    }
}

struct Panics;
impl Module for Panics {
    const FACTS: Facts = facts("panics");
    type Section = NoKeys;
    fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
        panic!("a bug")
    }
}

/// One boot of these modules on what earlier ones left.
fn boot(machine: &FakeMachine, entries: &[Entry], force: bool, dry: bool) -> StageReport {
    let marks = Marks::default();
    booted(machine, entries, force, dry, OnChange::Report, &marks)
}

fn boot_with(machine: &FakeMachine, entries: &[Entry], on_change: OnChange) -> StageReport {
    let marks = Marks::default();
    booted(machine, entries, false, false, on_change, &marks)
}

fn booted(
    machine: &FakeMachine,
    entries: &[Entry],
    force: bool,
    dry: bool,
    on_change: OnChange,
    marks: &Marks,
) -> StageReport {
    let (instance, config, params) = (instance(), Config::default(), Params::default());
    let context = Context {
        instance: &instance,
        config: &config,
        params: &params,
        scripts: &[],
        handlers: &[],
        instance_dir: Path::new(DIR),
        scripts_dir: Path::new(DIR),
        ask: &Nobody,
        probe: machine,
        render: |_, _| Err(String::new()),
    };
    let mut semaphores = Semaphores::load(machine, Path::new(DIR)).unwrap();
    let mut runner = Runner {
        machine,
        context: &context,
        semaphores: &mut semaphores,
        force,
        dry,
        boot_id: "boot",
        marks,
        on_interrupt_rerun: false,
        on_change,
        over: &mut || machine.log.borrow_mut().push("over".to_owned()),
        observer: &mut |_| {},
    };
    runner.stage(Stage::Final, entries)
}

fn taken(machine: &FakeMachine) -> Vec<String> {
    machine.log.take()
}

/// A journal in which a step was begun and nothing came after.
fn crashed(name: &str) -> FakeMachine {
    let line =
        format!("{{\"v\":1,\"name\":\"{name}\",\"boot\":\"b\",\"is\":\"started\",\"at\":1}}\n");
    FakeMachine::with(&[(&format!("{DIR}/journal"), &line)])
}

#[test]
fn a_script_runs_between_a_durable_started_and_a_durable_done() {
    let machine = FakeMachine::default();
    boot(&machine, &[Entry::of::<Scripts>()], false, false);
    let one = |name| ["settle", JOURNAL, name, "settle", JOURNAL];
    let mut want = [one("run one"), one("run two")].concat();
    want.extend(["over", "settle", JOURNAL]);
    assert_eq!(taken(&machine), want);
    let again = boot(&machine, &[Entry::of::<Scripts>()], false, false);
    assert_eq!(
        again.modules[0].outcome,
        Outcome::Skipped("done before".into())
    );
    assert_eq!(taken(&machine), ["over"]);
}

#[test]
fn a_semaphore_that_others_see_is_on_the_disk_before_the_script_and_behind_the_files() {
    let machine = FakeMachine::default();
    let entries = [Entry::of::<Scripts>(), Entry::of::<Files>()];
    let id = instance().instance_id;
    let marks = Marks::of(&id, &entries, |name| format!("config_{name}"));
    booted(&machine, &entries, false, false, OnChange::Report, &marks);
    let file = |name| format!("file /var/lib/cloud/instances/i-1/sem/config_{name} (0644)");
    let log = taken(&machine);
    let place = |line: &str| log.iter().position(|own| own == line);
    let script = place("run one").unwrap();
    let before = [&file("scripts"), "settle", JOURNAL, "run one"];
    assert_eq!(log.get(script - 3..=script).unwrap(), before);
    let end = log.len() - 3;
    assert_eq!(log[end..], [&file("files"), "settle", JOURNAL]);
    // It is written once, and whoever takes it away finds it gone.
    machine
        .files
        .borrow_mut()
        .retain(|path, _| !path.starts_with("/var/lib/cloud"));
    booted(&machine, &entries, false, false, OnChange::Report, &marks);
    assert_eq!(taken(&machine), ["over"]);
}

#[test]
fn what_runs_at_every_boot_does_not_wait_for_the_disk() {
    struct Hooks;
    impl Module for Hooks {
        const FACTS: Facts = Facts {
            frequency: Frequency::Always,
            ..facts("hooks")
        };
        type Section = NoKeys;
        fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
            Step::new("one", [run("one")]).into()
        }
    }
    let machine = FakeMachine::default();
    boot(&machine, &[Entry::of::<Hooks>()], false, false);
    let note = "append /run/firstlight/journal";
    assert_eq!(
        taken(&machine),
        [note, "run one", note, "over", "settle", note]
    );
}

#[test]
fn the_failure_of_a_lenient_step_is_a_warning_and_the_module_is_done() {
    struct Lenient;
    impl Module for Lenient {
        const FACTS: Facts = facts("lenient");
        type Section = NoKeys;
        fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
            let mut step = Step::new("one", [run("one")]);
            step.is_lenient = true;
            [step, Step::new("two", [run("two")])].into_iter().collect()
        }
    }
    let machine = FakeMachine {
        refuses: Some("run one".into()),
        ..FakeMachine::default()
    };
    let report = boot(&machine, &[Entry::of::<Lenient>()], false, false);
    assert_eq!(report.modules[0].steps[1].outcome, Outcome::Changed);
    let said = &report.modules[0].problems[0];
    assert!(said.message.ends_with("; the boot goes on"), "{said:?}");
    let mut whole = Report::new();
    whole.stages.push(report);
    assert_eq!(whole.health(), Health::Degraded);
    let again = boot(&machine, &[Entry::of::<Lenient>()], false, false);
    assert_eq!(again.modules[0].outcome, done_before());
}

#[test]
fn files_are_settled_before_they_are_recorded_with_one_append() {
    let machine = FakeMachine::default();
    boot(&machine, &[Entry::of::<Files>()], false, false);
    let want = [
        "file /a (0644)",
        JOURNAL,
        "file /b (0644)",
        "run reload",
        "over", // whoever waits for the stage does not wait for the disk
        "settle",
        JOURNAL,
    ];
    assert_eq!(taken(&machine), want);
}

#[test]
fn what_follows_a_change_is_not_lost_by_a_power_cut() {
    let machine = crashed("files/b");
    machine
        .files
        .borrow_mut()
        .insert("/b".into(), b"b".to_vec());
    boot(&machine, &[Entry::of::<Files>()], false, false);
    assert!(taken(&machine).contains(&"run reload".to_owned()));
}

#[test]
fn after_an_interrupted_script_neither_it_nor_a_later_one_runs_until_forced() {
    let machine = crashed("scripts/one");
    for _ in 0..2 {
        let report = boot(&machine, &[Entry::of::<Scripts>()], false, false);
        let module = &report.modules[0];
        assert!(
            matches!(module.outcome, Outcome::Interrupted(_)),
            "{module:?}"
        );
        assert!(
            matches!(module.steps[1].outcome, Outcome::Skipped(_)),
            "{module:?}"
        );
        let command = "run it with `firstlight run scripts --force`";
        assert_eq!(module.problems[0].hint.as_deref(), Some(command));
        assert!(!taken(&machine).iter().any(|line| line.starts_with("run ")));
    }
    let report = boot(&machine, &[Entry::of::<Scripts>()], true, false);
    assert_eq!(report.modules[0].outcome, Outcome::Changed);
}

#[test]
fn a_failed_script_costs_itself_and_is_not_tried_again() {
    let machine = FakeMachine {
        refuses: Some("run one".into()),
        ..FakeMachine::default()
    };
    let report = boot(&machine, &[Entry::of::<Scripts>()], false, false);
    assert_eq!(report.modules[0].outcome, Outcome::Failed);
    assert_eq!(report.modules[0].steps[1].outcome, Outcome::Changed);
    taken(&machine);
    let again = boot(&machine, &[Entry::of::<Scripts>()], false, false);
    let command = "run it again with `firstlight run scripts --force`".to_owned();
    assert_eq!(again.modules[0].outcome, Outcome::FailedBefore(command));
    let mut report = Report::new();
    report.stages.push(again);
    assert_eq!(
        report.health(),
        Health::Degraded,
        "what was asked for is still not done"
    );
    assert_eq!(taken(&machine), ["over"]);
}

#[test]
fn edited_inputs_are_told_ignored_or_done_again_as_the_image_says() {
    struct Edited;
    impl Module for Edited {
        const FACTS: Facts = facts("edited");
        type Section = NoKeys;
        fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
            let text = ctx.probe.read(Path::new("/edited")).unwrap().unwrap();
            let step = |name: &str, inputs: Vec<u8>| {
                let mut step = Step::new(name, [run(name)]);
                step.inputs = Secret::new(inputs);
                step
            };
            [step("same", b"same".to_vec()), step("edited", text)]
                .into_iter()
                .collect()
        }
    }
    #[rustfmt::skip]
    let table = [
        // what the image says   told     run again
        (OnChange::Ignore,       false,   false),
        (OnChange::Report,       true,    false),
        (OnChange::Rerun,        false,   true),
    ];
    for (on_change, told, again) in table {
        let machine = FakeMachine::with(&[("/edited", "before"), (&format!("{DIR}/key"), "k")]);
        let entries = [Entry::of::<Edited>()];
        boot(&machine, &entries, false, false);
        let same = boot_with(&machine, &entries, on_change);
        assert!(
            same.modules[0].problems.is_empty(),
            "{on_change:?}: nothing was edited"
        );
        taken(&machine);
        machine
            .files
            .borrow_mut()
            .insert("/edited".into(), b"after".to_vec());
        let report = boot_with(&machine, &entries, on_change);
        let module = &report.modules[0];
        assert_eq!(
            !module.problems.is_empty(),
            told,
            "{on_change:?}: {module:?}"
        );
        let log = taken(&machine);
        assert_eq!(
            log.contains(&"run edited".to_owned()),
            again,
            "{on_change:?}: {log:?}"
        );
        assert!(
            !log.contains(&"run same".to_owned()),
            "{on_change:?}: {log:?}"
        );
        let mut whole = Report::new();
        whole.stages.push(report);
        assert_eq!(
            whole.health(),
            Health::Done,
            "{on_change:?}: it is no fault"
        );
    }
}

#[test]
fn a_panic_costs_one_module() {
    let machine = FakeMachine::default();
    let report = boot(
        &machine,
        &[Entry::of::<Panics>(), Entry::of::<Files>()],
        false,
        false,
    );
    assert_eq!(report.modules[0].outcome, Outcome::Failed);
    assert_eq!(report.modules[1].outcome, Outcome::Changed);
}

#[test]
fn a_dry_run_records_nothing() {
    let machine = FakeMachine::default();
    boot(
        &machine,
        &[Entry::of::<Scripts>(), Entry::of::<Files>()],
        false,
        true,
    );
    let log = taken(&machine);
    assert!(
        log.iter()
            .all(|line| !line.starts_with("append") && line != "settle"),
        "{log:?}"
    );
}

#[test]
fn a_module_that_shall_run_otherwise_often_has_a_semaphore_of_its_own() {
    let machine = FakeMachine::default();
    let runs = |entry: Entry| {
        boot(&machine, &[entry], false, false);
        taken(&machine).contains(&"run one".to_owned())
    };
    let usual = Entry::of::<Scripts>();
    let mut once = usual;
    once.frequency = Frequency::Once;
    assert_eq!(
        [usual, usual, once, once].map(runs),
        [true, false, true, false]
    );
}

#[test]
fn a_step_that_needs_the_one_before_is_left_out_when_that_failed() {
    let not_done = |why: &str| Outcome::Skipped(format!("not done because `{why}` failed"));
    let (made, failed) = (Outcome::Changed, Outcome::Failed);
    #[rustfmt::skip]
    let table = [
        (None,            [made.clone(), made.clone(),   made.clone(),   made.clone()]),
        (Some("file /a"), [failed.clone(), not_done("a"), not_done("a"), made.clone()]),
        (Some("file /b"), [made.clone(), failed,         not_done("b"),  made]),
    ];
    for (refuses, wanted) in table {
        let machine = FakeMachine {
            refuses: refuses.map(ToOwned::to_owned),
            ..FakeMachine::default()
        };
        let report = boot(&machine, &[Entry::of::<Chain>()], false, false);
        let steps = report.modules[0].steps.iter();
        let found: Vec<Outcome> = steps.map(|step| step.outcome.clone()).collect();
        assert_eq!(found, wanted, "{refuses:?}");
    }
}
