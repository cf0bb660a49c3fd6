use contract::module::{Context, Facts, Module, NoKeys, Stage, Wake};
use contract::plan::Plan;
use contract::testing::FakeMachine;

use super::*;

const DIR: &str = "/var/lib/firstlight/instances/i-1";
const SEMAPHORE: &str = "/var/lib/cloud/instances/i-1/sem/config_scripts_user";

struct Scripts;

impl Module for Scripts {
    const FACTS: Facts = Facts {
        name: "scripts_user",
        summary: "",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: &[],
    };
    type Section = NoKeys;
    fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
        Plan::nothing()
    }
}

fn marks() -> Marks {
    let id = "i-1".parse().unwrap();
    Marks::of(&id, &[Entry::of::<Scripts>()], |name| {
        format!("config_{name}")
    })
}

fn load(machine: &FakeMachine) -> Semaphores {
    Semaphores::load(machine, Path::new(DIR)).unwrap()
}

/// A machine with this journal and this in the semaphore's place.
fn machine(lines: &[(&str, &str)], semaphore: Option<&str>) -> FakeMachine {
    let lines = lines.iter().map(|(name, is)| {
        format!("{{\"v\":1,\"name\":\"{name}\",\"boot\":\"b\",\"is\":\"{is}\",\"at\":1}}\n")
    });
    let journal: String = lines.collect();
    let machine = FakeMachine::with(&[(&format!("{DIR}/journal"), &journal)]);
    if let Some(text) = semaphore {
        let files = &mut machine.files.borrow_mut();
        files.insert(SEMAPHORE.into(), text.as_bytes().to_vec());
    }
    machine
}

fn remove(machine: &FakeMachine) {
    machine.files.borrow_mut().remove(Path::new(SEMAPHORE));
}

const OWN: &str = "7: 1.5 firstlight\n";
const THEIRS: &str = "7: 1.5\n";
const SHOWN: (&str, &str) = ("cloud-init:scripts_user", "done");

/// A journal, the file, what is known afterwards, and what is told.
type Row<'a> = (
    &'a [(&'a str, &'a str)],
    Option<&'a str>,
    &'a [&'a str],
    &'a str,
);

#[test]
fn a_semaphore_and_the_journal_have_one_meaning_in_every_state() {
    let done = ("scripts_user", "done");
    let failed = ("scripts_user", "failed");
    let step = |is| ("scripts_user/part-001", is);
    #[rustfmt::skip]
    let table: &[Row<'_>] = &[
        // journal                              file            known afterwards                told
        (&[],                                   None,           &[],                            ""),
        (&[],                                   Some(OWN),      &[],                            ""),
        (&[SHOWN],                              None,           &[],                            ""),
        (&[SHOWN],                              Some(OWN),      &[],                            ""),
        (&[],                                   Some(THEIRS),   &["scripts_user"],              "not done again: 1 (scripts_user)"),
        (&[],                                   Some(""),       &["scripts_user"],              "not done again: 1 (scripts_user)"),
        (&[SHOWN],                              Some(THEIRS),   &["scripts_user"],              "not done again: 1 (scripts_user)"),
        (&[done],                               None,           &["scripts_user"],              ""),
        (&[done],                               Some(OWN),      &["scripts_user"],              ""),
        (&[done],                               Some(THEIRS),   &["scripts_user"],              ""),
        (&[done, SHOWN],                        Some(OWN),      &["scripts_user"],              ""),
        (&[done, SHOWN],                        Some(THEIRS),   &["scripts_user"],              ""),
        (&[done, SHOWN],                        None,           &[],                            "taken away"),
        (&[failed],                             None,           &["scripts_user"],              ""),
        (&[failed, SHOWN],                      None,           &[],                            "taken away"),
        (&[step("started")],                    None,           &["scripts_user/part-001"],     ""),
        (&[step("started"), SHOWN],             Some(OWN),      &["scripts_user/part-001"],     ""),
        (&[step("started"), SHOWN],             None,           &[],                            "taken away"),
        (&[step("interrupted"), SHOWN],         None,           &[],                            "taken away"),
        (&[step("ended-by-shutdown"), SHOWN],   None,           &[],                            "taken away"),
        (&[step("ended-by-shutdown"), SHOWN],   Some(OWN),      &["scripts_user/part-001"],     ""),
        (&[step("done"), SHOWN],                Some(OWN),      &["scripts_user/part-001"],     ""),
        (&[("scripts_user_more", "done")],      None,           &["scripts_user_more"],         ""),
    ];
    for (journal, file, known, says) in table {
        for dry in [true, false] {
            let machine = machine(journal, *file);
            let before = machine.files.borrow().clone();
            let mut semaphores = load(&machine);
            let told = reconcile(&machine, &mut semaphores, &marks(), dry).unwrap();
            let names: Vec<&str> = semaphores.iter().map(|(name, _)| name).collect();
            assert_eq!(names, *known, "{journal:?} {file:?}");
            let told: Vec<String> = told.iter().map(ToString::to_string).collect();
            assert_eq!(
                told.is_empty(),
                says.is_empty(),
                "{journal:?} {file:?}: {told:?}"
            );
            assert!(
                told.join("").contains(says),
                "{journal:?} {file:?}: {told:?}"
            );
            if dry {
                assert_eq!(*machine.files.borrow(), before, "{journal:?} {file:?}");
                continue;
            }
            // What was decided is decided: the next boot finds nothing to do.
            let names: Vec<String> = names.into_iter().map(ToOwned::to_owned).collect();
            let mut again = load(&machine);
            let told = reconcile(&machine, &mut again, &marks(), false).unwrap();
            assert!(told.is_empty(), "{journal:?} {file:?}: {told:?}");
            assert!(
                again.iter().map(|(name, _)| name).eq(&names),
                "{journal:?} {file:?}"
            );
        }
    }
}

#[test]
fn whatever_is_recorded_gets_its_file_and_is_due_once_the_file_goes() {
    for (name, is) in [
        ("scripts_user", "done"),
        ("scripts_user", "failed"),
        ("scripts_user/part-001", "interrupted"),
    ] {
        let machine = machine(&[(name, is)], None);
        reconcile(&machine, &mut load(&machine), &marks(), false).unwrap();
        assert!(machine.text(SEMAPHORE).is_some(), "{name} {is}");
        let log = machine.log.take();
        let place = |line: &str| log.iter().position(|own| own.starts_with(line));
        // A file that the disk might yet lose must not count as one that was taken away.
        let order = [place("file "), place("settle"), place("append ")];
        assert!(
            order.is_sorted() && order.iter().all(Option::is_some),
            "{log:?}"
        );

        remove(&machine);
        let mut semaphores = load(&machine);
        reconcile(&machine, &mut semaphores, &marks(), false).unwrap();
        assert_eq!(semaphores.iter().count(), 0, "{name} {is}");
        assert_eq!(machine.text(SEMAPHORE), None, "{name} {is}");
    }
}

#[test]
fn a_reset_forgets_that_the_file_was_there() {
    let machine = machine(&[("scripts_user", "done"), SHOWN], Some(OWN));
    let mut semaphores = load(&machine);
    semaphores
        .reset(&machine, &["scripts_user".to_owned()])
        .unwrap();
    assert!(!semaphores.is_published("scripts_user", Frequency::Instance));
}

#[test]
fn a_reset_of_one_script_leaves_the_file_of_the_others() {
    let one = ("scripts_user/part-001", "done");
    let machine = machine(&[one, ("scripts_user", "done"), SHOWN], Some(OWN));
    let semaphores = load(&machine);
    let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    #[rustfmt::skip]
    let table = [
        (names(&["scripts_user/part-001"]),                     0),
        (names(&["scripts_user", "scripts_user/part-001"]),     1),
        (names(&["ssh"]),                                       0),
    ];
    for (forgotten, files) in table {
        let marks = marks();
        let paths = marks.paths(&semaphores, &forgotten);
        assert_eq!(paths.count(), files, "{forgotten:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_takes_nothing_back() {
    let mut machine = machine(&[("scripts_user", "done")], None);
    machine.refuses = Some("file ".to_owned());
    let mut semaphores = load(&machine);
    reconcile(&machine, &mut semaphores, &marks(), false).unwrap();
    assert!(!semaphores.is_published("scripts_user", Frequency::Instance));
    assert_eq!(semaphores.iter().count(), 1);
}
