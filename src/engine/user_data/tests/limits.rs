use super::*;

fn refused(data: &[u8]) -> String {
    let (parts, problems) = of(data);
    assert!(parts.is_empty(), "{} parts", parts.len());
    problems[0].to_string()
}

#[test]
fn what_is_too_large_raw_is_refused_by_name() {
    let said = refused(&vec![b'#'; (64 << 10) + 1]);
    assert!(said.contains("MAX_RAW (64 KiB)"), "{said}");
}

#[test]
fn what_unpacks_to_too_much_is_refused_at_the_limit_by_name() {
    let member = gzip(&vec![0; 512 << 10]);
    let bomb = member.repeat(33);
    assert!(bomb.len() <= 64 << 10, "{}", bomb.len());
    let said = refused(&bomb);
    assert!(said.contains("MAX_DECODED (16 MiB)"), "{said}");
}

#[test]
fn parts_that_together_are_too_large_are_cut_off_by_name() {
    let filling = gzip(&vec![b'#'; 512 << 10]).repeat(18);
    let part = STANDARD.encode([gzip(b"#!/bin/sh\n"), filling].concat());
    let part = format!(
        "--B\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{part}\n"
    );
    let head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n";
    let (parts, problems) = of(&gzip(format!("{head}{part}{part}--B--\n").as_bytes()));
    assert_eq!(parts.len(), 1);
    assert!(problems[0].message.contains("MAX_DECODED"), "{problems:?}");
}

#[test]
fn parts_beyond_the_most_are_ignored_by_name() {
    let mut text = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n".to_owned();
    for _ in 0..300 {
        text.push_str("--B\n\n#!/bin/sh\n");
    }
    let (parts, problems) = of((text + "--B--\n").as_bytes());
    assert_eq!(parts.len(), 256);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].message.contains("MAX_PARTS (256)"),
        "{problems:?}"
    );
    let archive = format!("#cloud-config-archive\n{}", "- '#!/bin/sh'\n".repeat(300));
    let (parts, problems) = of(archive.as_bytes());
    assert_eq!((parts.len(), problems.len()), (256, 1));
}

#[test]
fn multiparts_in_each_other_have_an_end_by_name() {
    let mut text = "MIME-Version: 1.0\n".to_owned();
    for depth in 0..100 {
        text.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=B{depth}\n\n--B{depth}\n"
        ));
    }
    let (parts, problems) = of(text.as_bytes());
    assert!(parts.is_empty());
    assert!(
        problems
            .iter()
            .any(|odd| odd.message.contains("MAX_NESTING (16)")),
        "{problems:?}"
    );
}
