use contract::machine::Machine as _;
use contract::report::{ErrorReport, Health, ProblemReport, StepReport};
use contract::testing::FakeMachine;

use super::*;

fn stage(stage: Stage, finished: bool, modules: Vec<ModuleReport>) -> StageReport {
    StageReport {
        stage,
        started: 1.0,
        finished: finished.then_some(2.0),
        programs_us: 0,
        modules,
    }
}

fn module(outcome: Outcome, steps: Vec<StepReport>) -> ModuleReport {
    ModuleReport {
        name: "scripts_user".to_owned(),
        outcome,
        duration_us: 0,
        steps,
        problems: Vec::new(),
    }
}

fn step(outcome: Outcome, error: Option<&str>) -> StepReport {
    StepReport {
        name: "part-001".to_owned(),
        outcome,
        duration_us: 0,
        effects: Vec::new(),
        error: error.map(|message| ErrorReport {
            message: message.to_owned(),
            class: contract::error::ErrorClass::Config,
        }),
    }
}

fn perform(machine: &FakeMachine, effects: Vec<Effect>) -> Value {
    for effect in effects {
        machine.apply(&effect).unwrap();
    }
    serde_json::from_str(&machine.text("/var/lib/cloud/data/status.json").unwrap()).unwrap()
}

fn up(machine: &FakeMachine, seconds: &str) {
    let text = format!("{seconds} 99.0\n").into_bytes();
    machine
        .files
        .borrow_mut()
        .insert("/proc/uptime".into(), text);
}

#[test]
fn each_stage_keeps_the_uptime_at_which_it_began_and_ended() {
    let machine = FakeMachine::default();
    up(&machine, "1.25");
    let status = perform(&machine, begun(&machine));
    assert_eq!(status["v1"]["stage"], "init-local");
    assert_eq!(status["v1"]["datasource"], Value::Null);

    let mut report = Report::new();
    report.datasource = Some("Ec2".to_owned());
    let mut at = 2.0;
    for own in Stage::ALL {
        for finished in [false, true] {
            report.stages.retain(|known| known.stage != own);
            report.stages.push(stage(own, finished, Vec::new()));
            up(&machine, &format!("{at}"));
            perform(&machine, published(&machine, &report));
            at += 1.0;
        }
    }
    let status = perform(&machine, published(&machine, &report));
    let times = |name: &str| {
        let stage = &status["v1"][name];
        (stage["start"].as_f64(), stage["finished"].as_f64())
    };
    assert_eq!(times("init-local"), (Some(1.25), Some(2.0)));
    assert_eq!(times("init"), (Some(2.0), Some(5.0)));
    assert_eq!(times("modules-config"), (Some(6.0), Some(7.0)));
    assert_eq!(times("modules-final"), (Some(8.0), Some(9.0)));
    assert_eq!(status["v1"]["stage"], Value::Null);
    assert_eq!(status["v1"]["datasource"], "DataSourceEc2Local");
    let result = machine.text("/var/lib/cloud/data/result.json").unwrap();
    assert_eq!(
        result,
        "{\n \"v1\": {\n  \"datasource\": \"DataSourceEc2Local\",\n  \"errors\": []\n }\n}\n"
    );
}

#[test]
fn the_stage_that_runs_is_named() {
    let machine = FakeMachine::default();
    let mut report = Report::new();
    #[rustfmt::skip]
    let table = [
        (Stage::Early,    true,  "init"),
        (Stage::Identity, false, "init"),
        (Stage::Config,   false, "modules-config"),
        (Stage::Final,    false, "modules-final"),
    ];
    for (own, finished, name) in table {
        if let Some(last) = report.stages.last_mut() {
            last.finished = Some(2.0);
        }
        report.stages.push(stage(own, finished, Vec::new()));
        let status = perform(&machine, published(&machine, &report));
        assert_eq!(status["v1"]["stage"], name, "{own:?}");
        assert_eq!(machine.text("/var/lib/cloud/data/result.json"), None);
    }
}

#[test]
fn what_is_an_error_here_is_one_there_and_what_is_degraded_is_recoverable() {
    let problem = |severity| ProblemReport {
        severity,
        source: None,
        line: 0,
        column: 0,
        message: "odd".to_owned(),
        hint: None,
    };
    let failed = || step(Outcome::Failed, Some("exit status 3"));
    let cut = || step(Outcome::Interrupted("a power cut".to_owned()), None);
    let before = || Outcome::FailedBefore("again".to_owned());
    #[rustfmt::skip]
    let table = [
        (vec![],                            None,                                               vec![],                                          vec![]),
        (vec![Severity::Notice],            None,                                               vec![],                                          vec![]),
        (vec![Severity::Warning],           None,                                               vec![],                                          vec!["odd"]),
        (vec![Severity::Error],             None,                                               vec!["odd"],                                     vec![]),
        (vec![],                            Some(module(Outcome::Failed, vec![failed()])),      vec!["scripts_user/part-001: exit status 3"],    vec![]),
        (vec![],                            Some(module(Outcome::Failed, vec![])),              vec!["scripts_user: failed"],                    vec![]),
        (vec![],                            Some(module(before(), vec![])),                     vec![],                                          vec!["scripts_user: failed before: again"]),
        (vec![],                            Some(module(Outcome::Unchanged, vec![cut()])),      vec![],                                          vec!["scripts_user/part-001: interrupted: a power cut"]),
    ];
    for (problems, module, errors, warnings) in table {
        let machine = FakeMachine::default();
        let mut report = Report::new();
        report.problems = problems.into_iter().map(problem).collect();
        let modules = module.into_iter().collect();
        report.stages.push(stage(Stage::Identity, true, modules));
        report.stages.push(stage(Stage::Final, true, Vec::new()));
        let status = perform(&machine, published(&machine, &report));
        let init = &status["v1"]["init"];
        assert_eq!(init["errors"], json!(errors), "{report:?}");
        let recoverable = if warnings.is_empty() {
            json!({})
        } else {
            json!({ "WARNING": warnings })
        };
        assert_eq!(init["recoverable_errors"], recoverable, "{report:?}");
        let health = match (errors.is_empty(), warnings.is_empty()) {
            (false, _) => Health::Error,
            (true, false) => Health::Degraded,
            (true, true) => Health::Done,
        };
        assert_eq!(report.health(), health, "{report:?}");
        let result = machine.text("/var/lib/cloud/data/result.json").unwrap();
        let result: Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["v1"]["errors"], json!(errors));
    }
}

#[test]
fn a_boot_that_cannot_go_on_is_over() {
    let machine = FakeMachine::default();
    perform(&machine, begun(&machine));
    let status = perform(&machine, failed(&machine, "no room"));
    assert_eq!(status["v1"]["init"]["errors"], json!(["no room"]));
    assert_eq!(status["v1"]["stage"], Value::Null);
    let result = machine.text("/var/lib/cloud/data/result.json").unwrap();
    assert!(result.contains("no room"), "{result}");
}

#[test]
fn a_disk_that_takes_nothing_hides_no_status() {
    let machine = FakeMachine {
        refuses: Some("file /var/lib/cloud".to_owned()),
        ..FakeMachine::default()
    };
    for effect in failed(&machine, "no room") {
        if machine.apply(&effect).is_err() {
            for effect in instead(&effect) {
                machine.apply(&effect).unwrap();
            }
        }
    }
    for name in ["status.json", "result.json"] {
        let text = machine.text(&format!("{RUN}/{name}")).unwrap();
        assert!(text.contains("no room"), "{name}: {text}");
    }
    assert!(instead(&Effect::file("/etc/motd", "")).is_empty());
}

#[test]
fn a_new_boot_forgets_the_last_ones_result() {
    let machine = FakeMachine::with(&[(
        "/var/lib/cloud/data/status.json",
        r#"{"v1": {"modules-final": {"start": 1.0, "finished": 2.0}}}"#,
    )]);
    let status = perform(&machine, begun(&machine));
    assert_eq!(status["v1"]["modules-final"]["finished"], Value::Null);
    let log = machine.log.borrow();
    for gone in [
        "/run/cloud-init/result.json",
        "/var/lib/cloud/data/result.json",
        "/var/lib/cloud/instance/boot-finished",
    ] {
        assert!(log.contains(&format!("no file {gone}")), "{gone}: {log:?}");
    }
}
