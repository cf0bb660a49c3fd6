//! Against real listeners that answer what each case says: a store, and a metadata service.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;

/// Answers requests by `answer(head, n)`, one connection each; keeps the heads.
fn server(
    answer: impl Fn(&str, usize) -> String + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push(head.clone());
                seen.len() - 1
            };
            let _ = stream.write_all(answer(&head, number).as_bytes());
        }
    });
    (url, heads)
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

fn refused(status: &str, code: &str, more: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message>{more}</Error>");
    reply(status, "", &body)
}

/// A metadata service whose role has other credentials each time it is asked.
fn role() -> RoleSource {
    let (url, _) = server(|head, n| {
        let path = head.split(' ').nth(1).unwrap();
        match path.strip_prefix("/latest/meta-data/iam/security-credentials/") {
            Some("") => reply("200 x", "", "web"),
            Some(_) => {
                let keys = format!(
                    "{{\"Code\": \"Success\", \"AccessKeyId\": \"ASIA{n}\", \
                     \"SecretAccessKey\": \"hunter2\", \"Token\": \"hunter3\"}}"
                );
                reply("200 x", "", &keys)
            }
            None => reply("200 x", "", "t0k"),
        }
    });
    RoleSource {
        urls: vec![url],
        budget: Duration::from_secs(5),
        patience: Duration::from_secs(5),
    }
}

fn at(endpoint: &str) -> Location {
    Location {
        bucket: "acme".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        ..Location::default()
    }
}

fn object(key: &str, size: u64) -> Object {
    Object {
        key: key.to_owned(),
        size,
        etag: "\"e1\"".to_owned(),
    }
}

#[derive(Debug, Default)]
struct Memory {
    bytes: Vec<u8>,
    begun: u32,
}

impl Sink for Memory {
    fn begin(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.begun += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

const EMPTY: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

#[test]
fn the_region_that_the_store_names_is_signed_for_from_then_on() {
    let (url, heads) = server(|head, _| {
        if head.contains("/us-east-1/s3/") {
            let more = "<Region>eu-central-1</Region>";
            refused("400 x", "AuthorizationHeaderMalformed", more)
        } else {
            reply("200 x", "", EMPTY)
        }
    });
    let s3 = S3::new(Some(role()));
    s3.list(&at(&url), "site/").unwrap();
    s3.list(&at(&url), "site/").unwrap();
    let heads = heads.lock().unwrap();
    let regions: Vec<bool> = heads
        .iter()
        .map(|head| head.contains("/eu-central-1/s3/"))
        .collect();
    assert_eq!(regions, [false, true, true]);
    assert!(
        heads[0].starts_with("GET /acme/?list-type=2&prefix=site%2F HTTP/1.1"),
        "{}",
        heads[0]
    );
    assert!(heads[1].contains("x-amz-security-token: hunter3"));
}

#[test]
fn a_region_that_is_no_name_is_not_followed() {
    let (url, _) = server(|_, _| {
        let more = "<Region>evil.example.com/</Region>";
        refused("400 x", "AuthorizationHeaderMalformed", more)
    });
    let error = S3::new(Some(role())).list(&at(&url), "").unwrap_err();
    assert!(
        matches!(error, S3Error::Status { status: 400, .. }),
        "{error}"
    );
}

#[test]
fn credentials_that_have_ended_are_renewed_once() {
    let (url, heads) = server(|head, _| {
        if head.contains("Credential=ASIA2/") {
            refused("400 x", "ExpiredToken", "")
        } else {
            reply("200 x", "", EMPTY)
        }
    });
    let s3 = S3::new(Some(role()));
    s3.list(&at(&url), "").unwrap();
    assert_eq!(heads.lock().unwrap().len(), 2);

    let (url, heads) = server(|_, _| refused("400 x", "ExpiredToken", ""));
    let error = S3::new(Some(role())).list(&at(&url), "").unwrap_err();
    assert!(error.to_string().contains("ExpiredToken"), "{error}");
    assert!(heads.lock().unwrap().len() <= 5, "it goes on for ever");
}

#[test]
fn nothing_is_signed_when_anonymous_and_nothing_asked_without_a_source() {
    let (url, heads) = server(|_, _| reply("200 x", "", EMPTY));
    let open = Location {
        anonymous: true,
        ..at(&url)
    };
    S3::new(None).list(&open, "").unwrap();
    let head = heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(
        !head.contains("authorization") && !head.contains("x-amz-security-token"),
        "{head}"
    );
    let error = S3::new(None).list(&at(&url), "").unwrap_err();
    assert!(matches!(error, S3Error::NoSource), "{error}");
}

#[test]
fn a_list_goes_on_page_after_page() {
    let (url, heads) = server(|head, _| {
        let entry =
            |key| format!("<Contents><Key>{key}</Key><ETag>\"e\"</ETag><Size>1</Size></Contents>");
        let page = if head.contains("continuation-token=next%2B1") {
            format!("{}<IsTruncated>false</IsTruncated>", entry("b"))
        } else {
            format!(
                "{}<IsTruncated>true</IsTruncated><NextContinuationToken>next+1</NextContinuationToken>",
                entry("a")
            )
        };
        reply(
            "200 x",
            "",
            &format!("<ListBucketResult>{page}</ListBucketResult>"),
        )
    });
    let objects = S3::new(Some(role())).list(&at(&url), "").unwrap();
    let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(heads.lock().unwrap().len(), 2);
}

#[test]
fn what_the_store_does_decides_what_becomes_of_an_object() {
    type Case = (
        &'static str,
        fn(&str, usize) -> String,
        Result<u32, &'static str>,
    );
    #[rustfmt::skip]
    let table: [Case; 9] = [
        ("whole",               |_, _| reply("200 x", "", "hello"),                                                     Ok(1)),
        ("slow down",           |_, n| if n == 0 { refused("503 x", "SlowDown", "") } else { reply("200 x", "", "hello") }, Ok(1)),
        ("cut off once",        |_, n| if n == 0 { "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nhe".into() } else { reply("200 x", "", "hello") }, Ok(2)),
        ("replaced meanwhile",  |_, _| refused("412 x", "PreconditionFailed", ""),                                      Err("changed while it was read")),
        ("another size",        |_, _| reply("200 x", "", "hello, world"),                                              Err("changed while it was read")),
        ("removed meanwhile",   |_, _| refused("404 x", "NoSuchKey", ""),                                               Err("has no object `k`")),
        ("no bucket",           |_, _| refused("404 x", "NoSuchBucket", ""),                                            Err("there is no bucket `acme`")),
        ("forbidden",           |_, _| refused("403 x", "AccessDenied", ""),                                            Err("access denied (AccessDenied); let the role's policy allow s3:GetObject")),
        ("a wrong clock",       |_, _| refused("403 x", "RequestTimeTooSkewed", ""),                                    Err("this machine's clock")),
    ];
    for (name, answer, expected) in table {
        let (url, heads) = server(answer);
        let s3 = S3::new(Some(role()));
        let wanted = vec![(object("k", 5), Memory::default())];
        let (sink, got) = s3.download(&at(&url), wanted).remove(0);
        match (got, expected) {
            (Ok(got), Ok(begun)) => {
                assert_eq!((got.bytes, sink.begun), (5, begun), "{name}");
                assert_eq!(sink.bytes, b"hello", "{name}");
            }
            (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{name}: {error}"),
            (got, _) => panic!("{name}: {got:?}"),
        }
        let head = heads.lock().unwrap()[0].clone();
        assert!(head.contains("if-match: \"e1\""), "{head}");
    }
}

#[test]
fn one_object_is_waited_for_no_longer_than_its_budget() {
    let (url, heads) = server(|_, _| reply("503 x", "Retry-After: 20\r\n", ""));
    let budget = Duration::from_millis(300);
    let begun = std::time::Instant::now();
    let error = S3::new(Some(role())).get(&at(&url), "k", 100, budget);
    assert!(begun.elapsed() < Duration::from_secs(10), "{error:?}");
    let said = error.unwrap_err().to_string();
    assert_eq!(said, "get s3://acme/k: no whole answer within 0.3 s");
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[test]
fn many_objects_come_back_in_their_order_and_one_fault_costs_one() {
    let (url, _) = server(|head, _| {
        let key = head.split(['/', ' ']).nth(3).unwrap().to_owned();
        if key == "7" {
            refused("403 x", "AccessDenied", "")
        } else {
            reply("200 x", "", &key)
        }
    });
    let wanted = (0..30).map(|n: u32| {
        let key = n.to_string();
        let size = u64::try_from(key.len()).unwrap();
        (object(&key, size), Memory::default())
    });
    let s3 = S3::new(Some(role()));
    let done = s3.download(&at(&url), wanted.collect());
    for (n, (sink, got)) in done.iter().enumerate() {
        if n == 7 {
            assert!(got.is_err());
        } else {
            assert_eq!(
                String::from_utf8_lossy(&sink.bytes),
                n.to_string(),
                "{got:?}"
            );
        }
    }
}

#[test]
fn the_checksum_that_the_store_keeps_of_a_whole_object_is_told() {
    #[rustfmt::skip]
    let table = [
        ("x-amz-checksum-sha256: LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\r\n",   Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")),
        ("x-amz-checksum-sha256: LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=-2\r\n", None), // of an upload's parts
        ("x-amz-checksum-crc32: y/Q5Jg==\r\n",                                       None),
    ];
    for (header, expected) in table {
        let (url, heads) = server(move |_, _| reply("200 x", header, "hello"));
        let wanted = vec![(object("k", 5), Memory::default())];
        let (_, got) = S3::new(Some(role())).download(&at(&url), wanted).remove(0);
        assert_eq!(got.unwrap().sha256.as_deref(), expected);
        assert!(heads.lock().unwrap()[0].contains("x-amz-checksum-mode: ENABLED"));
    }
}

#[test]
fn no_error_shows_a_credential() {
    let (url, _) = server(|_, _| refused("403 x", "AccessDenied", ""));
    let error = S3::new(Some(role())).list(&at(&url), "").unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains("hunter") && !said.contains("ASIA"), "{said}");
}
