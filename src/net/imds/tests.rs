//! Against a real listener that answers what each case says.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

/// A service that answers the n-th request for a path by `answer(path, n)`.
fn service(answer: fn(&str, usize) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.unwrap(), Arc::clone(&count));
            thread::spawn(move || {
                let mut seen = Vec::new();
                let mut chunk = [0; 1024];
                while let Ok(n) = stream.read(&mut chunk) {
                    if n == 0 {
                        return;
                    }
                    seen.extend_from_slice(&chunk[..n]);
                    if seen.ends_with(b"\r\n\r\n") {
                        let text = String::from_utf8_lossy(&seen).into_owned();
                        let path = text.split(' ').nth(1).unwrap().to_owned();
                        let turn = count
                            .fetch_add(usize::from(path != "/latest/api/token"), Ordering::SeqCst);
                        if stream.write_all(answer(&path, turn).as_bytes()).is_err() {
                            return;
                        }
                        seen.clear();
                    }
                }
            });
        }
    });
    url
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn status(code: u16) -> String {
    format!(
        "HTTP/1.1 {code} x\r\nContent-Length: 0\r\nRetry-After: 0\r\nLocation: http://127.0.0.1/\r\n\r\n"
    )
}

fn ask(url: &str, item: &str) -> Answer {
    let imds = Imds::new(&[url], Duration::from_secs(4), Duration::from_secs(2)).unwrap();
    imds.get_all(&[item.to_owned()]).remove(0)
}

#[test]
fn what_the_service_does_decides_what_the_client_says() {
    fn token_or(path: &str, other: String) -> String {
        if path == "/latest/api/token" {
            ok("TOKEN")
        } else {
            other
        }
    }
    /// The session has ended, and the first that asks for another one has to come again.
    fn busy_session(path: &str, turn: usize) -> String {
        match (path == "/latest/api/token", turn) {
            (true, 1) => status(503),
            (false, 0 | 1) => status(401),
            _ => token_or(path, ok("i-1")),
        }
    }
    type Case = (&'static str, fn(&str, usize) -> String, &'static str);
    #[rustfmt::skip]
    let table: [Case; 12] = [
        ("an item",                  |path, _| token_or(path, ok("i-1")),                                       "Ok i-1"),
        ("no such item",             |path, _| token_or(path, status(404)),                                     "Ok none"),
        ("a session that ended",     |path, n| token_or(path, if n == 0 { status(401) } else { ok("i-1") }),    "Ok i-1"),
        ("a session that never is",  |path, _| token_or(path, status(401)),                                     "status 401"),
        ("throttled once",           |path, n| token_or(path, if n == 0 { status(503) } else { ok("i-1") }),    "Ok i-1"),
        ("throttled for ever",       |path, _| token_or(path, status(503)),                                     "meta-data/instance-id: no answer in 6 tries; at last status 503"),
        ("ended, and then busy",     busy_session,                                                              "Ok i-1"),
        ("switched off",             |_, _| status(403),                                                        "IMDS is disabled"),
        ("redirected",               |path, _| token_or(path, status(302)),                                     "status 302"),
        ("cut off once",             |path, n| token_or(path, if n == 0 { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ni".into() } else { ok("i-1") }), "Ok i-1"),
        ("endless",                  |path, _| token_or(path, ok(&"x".repeat(70_000))),                         "larger than 64 KiB"),
        ("no token but a page",      |_, _| ok("<html> nothing </html>"),                                       "the token cannot be one"),
    ];
    for (name, answer, says) in table {
        let said = match ask(&service(answer), "meta-data/instance-id") {
            Ok(Some(bytes)) => format!("Ok {}", String::from_utf8_lossy(bytes.expose())),
            Ok(None) => "Ok none".into(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(says), "{name}: {said}");
    }
}

#[test]
fn the_endpoint_that_answers_is_used_and_many_items_keep_their_order() {
    let good = service(|path, _| {
        if path == "/latest/api/token" {
            ok("T")
        } else {
            ok(path)
        }
    });
    let imds = Imds::new(
        &["http://127.0.0.1:1", &good],
        Duration::from_secs(4),
        Duration::from_secs(2),
    )
    .unwrap();
    let items: Vec<String> = (0..40).map(|n| format!("meta-data/{n}")).collect();
    for (item, answer) in items.iter().zip(imds.get_all(&items)) {
        assert_eq!(
            answer.unwrap().unwrap().expose(),
            format!("/latest/{item}").as_bytes()
        );
    }
}

#[test]
fn only_plain_http_addresses_are_taken() {
    for bad in [
        "https://169.254.169.254",
        "http://",
        "169.254.169.254",
        "http://a/b",
        "http://a b",
    ] {
        assert!(endpoint(bad).is_err(), "{bad}");
    }
    for (good, authority) in [
        ("http://[fd00:ec2::254]", "[fd00:ec2::254]"),
        ("http://10.0.0.1:8080/", "10.0.0.1:8080"),
    ] {
        assert_eq!(endpoint(good).unwrap().authority(), authority);
    }
}
