//! Against a real listener that answers what each case says.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;

/// A server that answers the n-th request by `answer(head, n)`, one connection each.
fn server(answer: fn(&str, usize) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let _ = stream.write_all(answer(&head, count).as_bytes());
        }
    });
    format!("http://{address}")
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

fn fetch(url: &str, headers: &[(String, Secret<String>)]) -> Result<String, String> {
    let fetcher = Fetcher::new(S3::new(None), None, None);
    let wanted = Wanted {
        url,
        headers,
        max_bytes: 1000,
        timeout: Duration::from_secs(5),
        tries: 3,
        pause: Duration::from_millis(1),
    };
    match fetcher.fetch(&wanted) {
        Ok(body) => Ok(String::from_utf8_lossy(body.expose()).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn what_a_server_does_decides_what_is_fetched() {
    type Case = (
        &'static str,
        fn(&str, usize) -> String,
        Result<&'static str, &'static str>,
    );
    #[rustfmt::skip]
    let table: [Case; 9] = [
        ("whole",              |_, _| reply("200 OK", "", "hello"),                                     Ok("hello")),
        ("not there",          |_, n| if n == 0 { reply("404 x", "", "") } else { reply("200 x", "", "second") }, Err("status 404")),
        ("busy at first",      |_, n| if n < 2 { reply("503 x", "Retry-After: 0\r\n", "") } else { reply("200 x", "", "third") }, Ok("third")),
        ("busy for ever",      |_, _| reply("503 x", "", ""),                                           Err("status 503")),
        ("busy for longer than there is", |_, n| if n == 0 { reply("503 x", "Retry-After: 16\r\n", "") } else { reply("200 x", "", "late") }, Err("status 503")),
        ("cut off at first",   |_, n| if n == 0 { "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nhe".into() } else { reply("200 x", "", "whole") }, Ok("whole")),
        ("too large",          |_, _| reply("200 x", "", &"x".repeat(1001)),                            Err("holds more than 1000 bytes")),
        ("moved",              |head, _| if head.starts_with("GET /new?a=1 ") { reply("200 x", "", "moved") } else { reply("302 x", "Location: /new?a=1\r\n", "") }, Ok("moved")),
        ("moved in a circle",  |_, _| reply("302 x", "Location: /x\r\n", ""),                           Err("redirects more than 5 times")),
    ];
    for (name, answer, expected) in table {
        let got = fetch(&format!("{}/x?secret=hunter2", server(answer)), &[]);
        match (&got, expected) {
            (Ok(body), Ok(expected)) => assert_eq!(body, expected, "{name}"),
            (Err(said), Err(expected)) => assert!(said.contains(expected), "{name}: {said}"),
            _ => panic!("{name}: {got:?}"),
        }
        assert!(!format!("{got:?}").contains("hunter2"), "{name}: {got:?}");
    }
}

#[test]
fn headers_go_to_the_server_that_they_are_meant_for_and_to_no_other() {
    let headers = [("x-token".to_owned(), Secret::new("t0k".to_owned()))];
    let echo: fn(&str, usize) -> String = |head, _| {
        let sent = head.to_ascii_lowercase().contains("x-token: t0k");
        let body = if sent { "sent" } else { "not sent" };
        if head.starts_with("GET /away") {
            let port = head
                .split("port=")
                .nth(1)
                .and_then(|rest| rest.split(' ').next());
            let location = format!("Location: http://127.0.0.1:{}/\r\n", port.unwrap());
            return reply("302 x", &location, "");
        }
        reply("200 x", "", body)
    };
    let (here, there) = (server(echo), server(echo));
    assert_eq!(fetch(&here, &headers), Ok("sent".to_owned()));
    let port = there.rsplit(':').next().unwrap();
    let away = format!("{here}/away?port={port}");
    assert_eq!(fetch(&away, &headers), Ok("not sent".to_owned()));
}

#[test]
fn an_address_that_cannot_be_fetched_is_named() {
    for (url, says) in [
        ("ftp://example.com/x", "expected an address of"),
        ("s3://bucket", "expected `s3://BUCKET/KEY`"),
        ("s3://bucket/key", "there are no credentials"),
        ("http://me:hunter2@example.com/", "user name or password"),
        (
            "http://127.0.0.1:1/",
            "cannot connect to http://127.0.0.1:1",
        ),
    ] {
        let said = fetch(url, &[]).unwrap_err();
        assert!(
            said.contains(says) && !said.contains("hunter2"),
            "{url}: {said}"
        );
    }
}

/// A server that tells, in the order of their coming, what was sent to it.
fn listener(answer: fn(usize) -> String) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).unwrap();
            let line = head.lines().next().unwrap_or_default();
            let body = String::from_utf8_lossy(&body);
            tell.send(format!("{line} {body}")).unwrap();
            let _ = stream.write_all(answer(count).as_bytes());
        }
    });
    (format!("http://{address}/here?a=1"), told)
}

#[test]
fn a_form_is_sent_until_somebody_takes_it() {
    type Case = (
        &'static str,
        fn(usize) -> String,
        bool,
        &'static [&'static str],
    );
    const SENT: &str = "post /here?a=1 http/1.1 key=ssh-rsa+A%2FB%2B%3D%0A&name=web";
    #[rustfmt::skip]
    let table: [Case; 5] = [
        ("taken",           |_| reply("200 x", "", "thanks"),                                              true,  &[SENT]),
        ("not there yet",   |n| reply(if n == 0 { "404 x" } else { "201 x" }, "", ""),                     true,  &[SENT, SENT]),
        ("never there",     |_| reply("404 x", "", ""),                                                    false, &[SENT, SENT, SENT]),
        ("kept elsewhere",  |n| if n == 0 { reply("307 x", "Location: /here?a=1\r\n", "") } else { reply("200 x", "", "") }, true, &[SENT, SENT]),
        ("seen elsewhere",  |n| if n == 0 { reply("303 x", "Location: /b\r\n", "") } else { reply("200 x", "", "") }, true, &[SENT, "get /b http/1.1 "]),
    ];
    let form = [("key", "ssh-rsa A/B+=\n"), ("name", "web")];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (name, answer, is_taken, wanted) in table {
        let (url, told) = listener(answer);
        let wanted_of = Wanted {
            url: &url,
            headers: &[],
            max_bytes: 1000,
            timeout: Duration::from_secs(5),
            tries: 3,
            pause: Duration::from_millis(1),
        };
        let sent = Fetcher::new(S3::new(None), None, None).post(&wanted_of, &form);
        assert_eq!(sent.is_ok(), is_taken, "{name}: {sent:?}");
        let seen: Vec<String> = told.try_iter().collect();
        assert_eq!(seen, wanted, "{name}");
    }
}

#[test]
fn a_form_goes_over_http_alone() {
    for url in ["s3://bucket/key", "file:///etc/passwd", "ftp://a.example/"] {
        let wanted = Wanted {
            url,
            headers: &[],
            max_bytes: 10,
            timeout: Duration::from_secs(1),
            tries: 1,
            pause: Duration::ZERO,
        };
        let sent = Fetcher::new(S3::new(None), None, None).post(&wanted, &[]);
        assert!(
            matches!(sent, Err(FetchError::Address { .. })),
            "{url}: {sent:?}"
        );
    }
}
