//! Secrets of a module's section, and what may be made of them.

use super::{answered, problem_of};

#[test]
fn a_secret_of_the_section_stands_where_nobody_sees_it_or_the_answer_is_refused() {
    let effect = [
        (
            r#"{"tool": {"what": "x", "argv": ["x", "--code=tr0ub4dor"]}}"#,
            "tool.argv[1]",
        ),
        (
            r#"{"tool": {"what": "x", "argv": ["x"], "env": {"CODE": "tr0ub4dor"}}}"#,
            "tool.env.CODE",
        ),
        (
            r#"{"run": {"label": "tr0ub4dor", "argv": ["x"]}}"#,
            "run.label",
        ),
        (
            r#"{"file": {"path": "/tr0ub4dor", "content": ""}}"#,
            "file.path",
        ),
        (r#"{"console": {"text": "hunter2"}}"#, "console.text"),
    ];
    for (effect, path) in effect {
        let answer = format!(r#"{{"steps": [{{"name": "a", "effects": [{effect}]}}]}}"#);
        let problem = problem_of(answer.leak());
        let wanted =
            format!("steps[0].effects[0].{path}: a secret of the configuration would be seen here");
        assert!(problem.contains(&wanted), "{problem}");
        assert!(
            !problem.contains("tr0ub4dor") && !problem.contains("hunter2"),
            "{problem}"
        );
    }
    for content in [
        r#""content": "hunter2""#,
        r#""content_base64": "YSBodW50ZXIyCg==""#,
    ] {
        let file = format!(r#"{{"file": {{"path": "/a", {content}}}}}"#);
        let readable = format!(r#"{{"steps": [{{"name": "a", "effects": [{file}]}}]}}"#);
        let problem = problem_of(readable.leak());
        assert!(
            problem.contains("file.mode: everybody could read a secret"),
            "{problem}"
        );
    }
}

#[test]
fn a_secret_of_bytes_is_kept_in_both_of_its_forms() {
    let config = "site: {port: 80, code: !!binary dHIwdWI0ZG9y}\n";
    let problem =
        r#"{"problems": [{"severity": "notice", "message": "dHIwdWI0ZG9y or tr0ub4dor?"}]}"#;
    let (plan, _) = answered(config, Ok(problem));
    assert_eq!(plan.problems[0].to_string(), "‹secret› or ‹secret›?");
}

#[test]
fn a_secret_of_bytes_may_be_a_file_of_roots_and_no_other() {
    // No text: a file of keys as Kerberos has it.
    let config = "site: {port: 80, code: !!binary AP/+gIH/AAEC}\n";
    let answer = |mode: &str| {
        let file =
            format!(r#"{{"path": "/k", "mode": "{mode}", "content_base64": "AP/+gIH/AAEC"}}"#);
        let effect = format!(r#"{{"file": {file}}}"#);
        let text = format!(r#"{{"steps": [{{"name": "a", "effects": [{effect}]}}]}}"#);
        answered(config, Ok(text.leak())).0
    };
    assert_eq!(answer("0600").lines(), ["file /k (0600)"]);
    let refused = answer("0644").problems[0].to_string();
    assert!(
        refused.contains("everybody could read a secret"),
        "{refused}"
    );
}

#[test]
fn a_word_for_yes_or_no_is_no_secret_whatever_its_key_is_called() {
    let config = "site: {port: 80, allow_password: false}\n";
    let run = r#"{"run": {"label": "a", "argv": ["a", "Debug=False"]}}"#;
    let answer = format!(r#"{{"steps": [{{"name": "a", "effects": [{run}]}}]}}"#);
    let (plan, _) = answered(config, Ok(answer.leak()));
    assert_eq!(plan.lines(), ["run a"]);
}
