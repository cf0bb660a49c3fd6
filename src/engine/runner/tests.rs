use std::path::Path;

use contract::config::Config;
use contract::effect::{CommandSpec, Effect, Program};
use contract::module::{Facts, Module, NoKeys, Wake};
use contract::params::Params;
use contract::testing::{FakeMachine, instance};

use super::*;

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
    let (instance, config, params) = (instance(), Config::default(), Params::default());
    let context = Context {
        instance: &instance,
        config: &config,
        params: &params,
        scripts: &[],
        instance_dir: Path::new(DIR),
        probe: machine,
    };
    let mut semaphores = Semaphores::load(machine, Path::new(DIR)).unwrap();
    let mut runner = Runner {
        machine,
        context: &context,
        semaphores: &mut semaphores,
        force,
        dry,
        boot_id: "boot",
        on_interrupt_rerun: false,
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
    want.extend(["settle", JOURNAL]);
    assert_eq!(taken(&machine), want);
    let again = boot(&machine, &[Entry::of::<Scripts>()], false, false);
    assert_eq!(
        again.modules[0].outcome,
        Outcome::Skipped("done before".into())
    );
    assert!(taken(&machine).is_empty());
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
    assert!(matches!(again.modules[0].outcome, Outcome::Skipped(_)));
    assert!(taken(&machine).is_empty());
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
