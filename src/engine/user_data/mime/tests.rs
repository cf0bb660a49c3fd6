use proptest::prelude::*;

use super::*;

/// The bodies of the leaves, and what is odd.
fn bodies(text: &[u8]) -> (Vec<String>, Vec<String>) {
    let (leaves, problems) = leaves(text, "user-data", 100);
    let body = |leaf: &Leaf| String::from_utf8_lossy(&leaf.body).into_owned();
    (
        leaves.iter().map(body).collect(),
        problems.iter().map(ToString::to_string).collect(),
    )
}

const HEAD: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n";

#[test]
fn broken_boundaries_are_read_as_python_reads_them() {
    #[rustfmt::skip]
    let table: [(&str, &[&str], Option<&str>); 12] = [
        // behind the headers              bodies           what is told
        ("--B\n\na\n--B\n\nb\n--B--\n",    &["a", "b"],     None),
        ("why\n--B\n\na\n--B--\nbecause\n", &["a"],         None), // before and behind it is nothing
        ("--B \t\n\na\n--B--\t\n",         &["a"],          None),
        ("--B\r\n\r\na\r\n--B--\r\n",      &["a"],          None),
        ("--B\n\na\n\n--B--",              &["a\n"],        None), // one line end is the boundary's
        ("--B\n\na\n--BB\n--B--",          &["a\n--BB"],    None), // another boundary
        ("--B\n--B\n\na\n--B--",           &["a"],          None),
        ("--B\na\n--B--",                  &["a"],          None), // no empty line
        ("--B\n\na\n",                     &["a"],          Some("no end")),
        ("--B\n\na\n--B\n",                &["a", ""],      Some("no end")),
        ("a\n",                            &[],             Some("nowhere")),
        ("--B--\n\na\n",                   &[],             Some("before it begins")),
    ];
    for (text, want, told) in table {
        let (found, problems) = bodies(format!("{HEAD}{text}").as_bytes());
        assert_eq!(found, want, "{text:?}");
        match told {
            None => assert_eq!(problems, Vec::<String>::new(), "{text:?}"),
            Some(word) => assert!(problems[0].contains(word), "{text:?}: {problems:?}"),
        }
    }
    let (found, problems) =
        bodies(b"MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n--B\n\na\n");
    assert!(found.is_empty());
    assert_eq!(
        problems,
        [
            "user-data:1:1: multipart without a `boundary`: everything in it is ignored \
          (name one: `boundary=\"...\"`)"
        ]
    );
}

#[test]
fn a_boundary_of_the_outer_multipart_ends_the_inner_one() {
    let text = format!(
        "{HEAD}--B\nContent-Type: multipart/mixed; boundary=\"C \"\n\n--C\n\na\n--B\n\nb\n--B--\n"
    );
    let (found, problems) = bodies(text.as_bytes());
    assert_eq!(found, ["a", "b"]);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("user-data:5:1: the multipart has no end")
            || problems[0].starts_with("user-data:4:1: "),
        "{problems:?}"
    );
}

#[test]
fn encodings_are_undone_as_leniently_as_python_does() {
    #[rustfmt::skip]
    let table: [(&str, &[u8], &[u8]); 17] = [
        ("base64",           b"YWJj",               b"abc"),
        ("BASE64",           b"YW\r\nJj\n",         b"abc"),
        ("base64",           b"YWI=",               b"ab"),
        ("base64",           b"YWI",                b"ab"), // padding may lack
        ("base64",           b"Y!W-J j",            b"abc"), // what is no letter is skipped
        ("base64",           b"YWI=YWJj",           b"ab"), // what follows padding is nothing
        ("base64",           b"YWJjY",              b"YWJjY"), // a letter too many: as it is
        ("quoted-printable", b"a=3D=e9\n",          b"a=\xe9\n"),
        ("quoted-printable", b"a=\nb=\r\nc",        b"abc"),
        ("quoted-printable", b"a==b=zz=",           b"a=b=zz"),
        ("quoted-printable", b"a \n",               b"a \n"),
        ("7bit",             b"caf\xe9\n",          b"caf\xe9\n"), // bytes stay bytes
        ("8bit",             b"caf\xc3\xa9\n",      b"caf\xc3\xa9\n"),
        ("binary",           b"\0\xff",             b"\0\xff"),
        ("",                 b"a",                  b"a"),
        ("base32",           b"YWJj",               b"YWJj"),
        ("x-uuencode",       b"YWJj",               b"YWJj"),
    ];
    for (encoding, body, want) in table {
        let head = format!("Content-Transfer-Encoding: {encoding}\n\n");
        let (leaves, problems) = leaves(&[head.as_bytes(), body].concat(), "user-data", 9);
        assert_eq!(leaves[0].body, want, "{encoding} {body:?}");
        let is_known = !["base32", "x-uuencode"].contains(&encoding);
        assert_eq!(problems.is_empty(), is_known, "{encoding}");
    }
}

#[test]
fn names_come_from_two_headers_and_in_four_spellings() {
    #[rustfmt::skip]
    let table = [
        ("Content-Disposition: attachment; filename=a.sh",                    Some("a.sh")),
        ("content-disposition: attachment;\n\tFILENAME = \"a b;.sh\" ; x=y",  Some("a b;.sh")),
        ("Content-Disposition: attachment; filename=\"a\\\"b\\\\c\"",         Some("a\"b\\c")),
        ("Content-Disposition: attachment; filename*=UTF-8''%E2%82%AC.sh",    Some("€.sh")),
        ("Content-Disposition: attachment; filename*1=b.sh; filename*0=a",    Some("ab.sh")),
        ("Content-Disposition: attachment; filename*0*=u''a%20; filename*1=b", Some("a b")),
        ("Content-Type: text/plain; name=a.sh",                               Some("a.sh")),
        ("Content-Type: text/plain; name=a.sh\nContent-Disposition: inline; filename=b.sh", Some("b.sh")),
        ("Content-Disposition: attachment; filename=\"\"",                    None),
        ("Content-Disposition: attachment; filename",                         None),
        ("Content-Disposition: attachment",                                   None),
    ];
    for (headers, name) in table {
        let (leaves, _) = leaves(format!("{headers}\n\nx").as_bytes(), "user-data", 9);
        assert_eq!(leaves[0].filename.as_deref(), name, "{headers}");
    }
}

#[test]
fn headers_are_read_as_python_reads_them() {
    #[rustfmt::skip]
    let table = [
        // text                                        type            body
        ("Content-Type:text/cloud-config\n\na",        "text/cloud-config", "a"),
        ("X: y\nContent-Type:\n text/cloud-config\n\na", "text/cloud-config", "a"), // folded
        (" folded\nContent-Type: text/x\n\na",         "text/x",       "a"),
        ("From me\nContent-Type: text/x\n\na",         "text/x",       "a"), // a mailbox's envelope
        ("X: y\nFrom me\nContent-Type: text/x\n\na",   "text/x",       "a"),
        ("X: y\nFrom me\n\na",                         "text/plain",   "From me\na"),
        (": none\nContent-Type: text/x\n\na",          "text/x",       "a"),
        ("Content-Type: text/x\nno header\n\na",       "text/x",       "no header\n\na"),
        ("Content-Type: text/x\nContent-Type: text/y\n\na", "text/x",  "a"), // the first counts
        ("X y: z\nContent-Type: text/x\n\na",          "text/plain",   "X y: z\nContent-Type: text/x\n\na"),
        ("Content-Type: text/x\r\rContent-Type: a",    "text/x",       "Content-Type: a"),
    ];
    for (text, kind, body) in table {
        let (leaves, _) = leaves(text.as_bytes(), "user-data", 9);
        let found = (
            leaves[0].declared.as_deref(),
            String::from_utf8_lossy(&leaves[0].body),
        );
        assert_eq!(found, (Some(kind), body.into()), "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_put_into_parts_comes_out_of_them(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
        crlf: bool,
    ) {
        use base64::Engine as _;
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = HEAD.replace('\n', end);
        for body in &parts {
            let body = base64::engine::general_purpose::STANDARD.encode(body);
            text += &format!("--B{end}Content-Transfer-Encoding: base64{end}{end}{body}{end}");
        }
        text += &format!("--B--{end}");
        let (leaves, _) = leaves(text.as_bytes(), "user-data", 100);
        let found: Vec<_> = leaves.into_iter().map(|leaf| leaf.body).collect();
        // A multipart of nothing has no parts.
        prop_assert_eq!(found, parts);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        leaves(&bytes, "user-data", 100);
    }

    #[test]
    fn no_text_that_is_nearly_a_message_makes_it_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=B\n", "Content-Type: message/rfc822\n", "--B\n",
            "--B--\n", "\n", "\r", " ", "--", "B", ": ", "=", "From x\n", "Content-Transfer-Encoding: base64\n",
            "Content-Disposition: a; filename*0*=x'y'%4; filename*9999999999=z\n", "\"", ";", "é",
        ]), 0..40),
    ) {
        leaves(pieces.concat().as_bytes(), "user-data", 100);
    }
}
