use contract::testing::FakeMachine;

use super::*;

const DIR: &str = "/var/lib/firstlight/instances/i-1";

#[test]
fn every_record_has_a_verdict() {
    let at = 1;
    let rows = [
        (Record::Absent, [Verdict::Run; 3]),
        (Record::Done { at, digest: None }, [Verdict::DoneBefore; 3]),
        (Record::Failed { at }, [Verdict::FailedBefore; 3]),
        (
            Record::Started { at },
            [
                Verdict::RunAgain,
                Verdict::WasInterrupted,
                Verdict::RunAgain,
            ],
        ),
        (
            Record::Interrupted { at },
            [
                Verdict::RunAgain,
                Verdict::WasInterrupted,
                Verdict::RunAgain,
            ],
        ),
        (
            Record::EndedByShutdown { at },
            [
                Verdict::RunAgain,
                Verdict::WasEndedByShutdown,
                Verdict::WasEndedByShutdown,
            ],
        ),
    ];
    for (record, [idempotent, code, rerun]) in rows {
        assert_eq!(verdict(&record, false, false), idempotent, "{record}");
        assert_eq!(verdict(&record, true, false), code, "{record}");
        assert_eq!(verdict(&record, true, true), rerun, "{record} with rerun");
    }
}

fn note(machine: &FakeMachine, all: &mut Semaphores, name: &str, record: Record) {
    all.note(
        machine,
        Frequency::Instance,
        "boot",
        vec![(name.to_owned(), record)],
    )
    .unwrap();
}

#[test]
fn a_torn_or_unknown_line_is_reported_and_costs_no_other_record() {
    let journal = format!("{DIR}/journal");
    let old = "{\"v\":9,\"name\":\"x\"}\n{\"v\":1,\"na";
    let machine = FakeMachine::with(&[(journal.as_str(), old)]);
    let mut all = Semaphores::load(&machine, Path::new(DIR)).unwrap();
    assert_eq!(all.problems().len(), 2);
    note(&machine, &mut all, "users", Record::Failed { at: 5 });
    assert!(machine.text(&journal).unwrap().starts_with(old));
    let again = Semaphores::load(&machine, Path::new(DIR)).unwrap();
    assert_eq!(again.get("users"), &Record::Failed { at: 5 });
}

#[test]
fn what_is_reset_is_forgotten_and_stays_so() {
    let machine = FakeMachine::default();
    let mut all = Semaphores::load(&machine, Path::new(DIR)).unwrap();
    note(
        &machine,
        &mut all,
        "users",
        Record::Done {
            at: 5,
            digest: None,
        },
    );
    all.reset(&machine, &["users".to_owned()]).unwrap();
    let again = Semaphores::load(&machine, Path::new(DIR)).unwrap();
    assert_eq!(again.iter().count(), 0);
}

#[test]
fn what_is_done_at_every_boot_is_due_in_another_boot() {
    let machine = FakeMachine::default();
    let mut all = Semaphores::default();
    let done = Record::Done {
        at: 5,
        digest: None,
    };
    all.note(
        &machine,
        Frequency::Always,
        "one",
        vec![("hosts".into(), done.clone())],
    )
    .unwrap();
    assert_eq!(all.due("hosts", Frequency::Always, "one"), &done);
    assert_eq!(all.due("hosts", Frequency::Always, "two"), &Record::Absent);
}

#[test]
fn a_compacted_journal_means_the_same_and_keeps_what_nobody_understands() {
    let line = |name: &str, is: &str| {
        format!("{{\"v\":1,\"name\":\"{name}\",\"boot\":\"b\",\"is\":\"{is}\",\"at\":1}}\n")
    };
    let forgotten = "{\"v\":1,\"name\":\"gone\",\"boot\":\"b\",\"is\":\"absent\"}\n";
    let other = "{\"v\":9,\"what\":\"of a later version\"}\n";
    let text = [
        &line("a", "started"),
        other,
        &line("b", "started"),
        &line("gone", "done"),
        &line("a", "done"),
        forgotten,
        "torn {\"v\"",
    ]
    .concat();
    let dir = Path::new("/var/lib/firstlight/instances/i-1");
    let machine = FakeMachine::with(&[("/var/lib/firstlight/instances/i-1/journal", &text)]);
    let names = |machine: &FakeMachine| {
        let all = Semaphores::load(machine, dir).unwrap();
        let all: Vec<String> = all
            .iter()
            .map(|(name, record)| format!("{name} {record}"))
            .collect();
        all
    };
    let before = names(&machine);
    Semaphores::compact(&machine, dir).unwrap();
    assert_eq!(names(&machine), before);
    let now = machine
        .text("/var/lib/firstlight/instances/i-1/journal")
        .unwrap();
    let wanted = [
        other,
        &line("b", "started"),
        &line("a", "done"),
        "torn {\"v\"\n",
    ]
    .concat();
    assert_eq!(now, wanted);
}
