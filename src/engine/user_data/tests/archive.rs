use contract::instance::LaunchIndex;

use super::*;

#[test]
fn items_are_parts_by_their_type_or_by_how_they_begin() {
    let unknown = |mime: &str| PartKind::Unknown(mime.to_owned());
    #[rustfmt::skip]
    let table = [
        // item                                              what it is, its name
        ("'#!/bin/sh'",                                      PartKind::Script, "part-001"),
        ("'a: 1'",                                           PartKind::CloudConfig, "part-001"),
        ("{content: '#!/bin/sh'}",                           PartKind::Script, "part-001"),
        ("{type: text/x-shellscript, content: x}",           PartKind::Script, "part-001"),
        ("{type: text/plain, content: '#!/bin/sh'}",         unknown("text/plain"), "part-001"), // not doubted here
        ("{type: text/cloud-boothook, filename: a/b.sh}",    PartKind::BootHook, "a_b.sh"),
        ("{type: '', content: '#!/bin/sh'}",                 PartKind::Script, "part-001"),
        ("{filename: x}",                                    PartKind::CloudConfig, "x"),
        ("{content: !!binary /w==}",                         unknown("application/octet-stream"), "part-001"),
        ("'#include https://example.com/'",                  PartKind::Unsupported("text/x-include-url"), "part-001"),
        ("\"#cloud-config-archive\\n- x\"",                  PartKind::Unsupported("text/cloud-config-archive"), "part-001"),
    ];
    for (item, kind, name) in table {
        let (parts, _) = of(format!("#cloud-config-archive\n- {item}\n").as_bytes());
        let found: Vec<_> = parts
            .iter()
            .map(|part| (&part.kind, part.name.as_str()))
            .collect();
        assert_eq!(found, [(&kind, name)], "{item}");
    }
}

#[test]
fn an_item_says_how_it_is_merged_and_for_whom_it_is() {
    let data = "#cloud-config-archive\n- {content: 'a: 1', launch-index: 2, Merge-Type: list(append)}\n\
                - {content: 'a: 1', launch-index: x, merge-type: list(append)}\n";
    let (parts, problems) = of(data.as_bytes());
    assert_eq!(parts[0].launch_index, Some(LaunchIndex(2)));
    assert_eq!(parts[0].merge_type.as_deref(), Some("list(append)"));
    assert_eq!((parts[1].launch_index, parts[1].for_nobody), (None, true));
    assert_eq!(parts[1].merge_type, None);
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn what_is_wrong_with_an_item_costs_the_item_and_is_told_with_its_place() {
    #[rustfmt::skip]
    let table = [
        ("- 3",                             "user-data:2:3: item 1 ignored: expected text or a mapping, found an integer"),
        ("- {content: [secret]}",           "user-data:2:13: item 1 ignored: expected text as its content, found a list"),
        ("- {type: shell, content: secret}", "user-data:2:10: item 1 ignored: expected a type such as text/x-shellscript"),
    ];
    for (item, said) in table {
        let (parts, problems) = of(format!("#cloud-config-archive\n{item}\n- 'a: 1'\n").as_bytes());
        assert_eq!(parts.len(), 1, "{item}");
        let problem = problems[0].to_string();
        assert!(problem.starts_with(said), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }
}

#[test]
fn an_archive_that_is_no_list_gives_no_parts() {
    for (text, word) in [
        ("a: 1", "expected a list, found a mapping"),
        ("- [", "archive ignored"),
    ] {
        let (parts, problems) = of(format!("#cloud-config-archive\n{text}\n").as_bytes());
        assert!(parts.is_empty());
        assert!(problems[0].message.contains(word), "{problems:?}");
    }
}

#[test]
fn an_archive_in_a_message_stands_among_its_parts_and_its_errors_know_their_lines() {
    let data = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n#!/bin/sh\n\
                --B\n\n#cloud-config-archive\n- |\n  #cloud-config\n  a: 1\n- '#!/bin/sh'\n--B\n\n#!/bin/sh\n--B--\n";
    let (parts, problems) = of(data.as_bytes());
    assert_eq!(problems, []);
    let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["part-001", "part-002", "part-003", "part-004"]);
    assert_eq!(parts[1].kind, PartKind::CloudConfig);
    assert_eq!(parts[1].first_line, 11);
}
