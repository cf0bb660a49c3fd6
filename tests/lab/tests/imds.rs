//! The metadata service keeps the protocol of the real one, so that a client that breaks it fails
//! here and not at a boot.
#![allow(clippy::unwrap_used, reason = "for tests only")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::{Imds, LOOPBACK, Mood, Setup};

const TTL: &str = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
const PUT: &str = "PUT /latest/api/token";
const GET: &str = "GET /latest/meta-data/instance-id";

#[test]
fn the_protocol_is_kept_as_ec2_keeps_it() {
    let imds = Imds::start(lab::aws_mock(), Mood::Fair);
    let token = token(&imds.url());
    let with = format!("X-aws-ec2-metadata-token: {token}\r\n");
    let forwarded = format!("{TTL}X-Forwarded-For: 192.0.2.1\r\n");
    let long = TTL.replace("60", "21601");
    #[rustfmt::skip]
    let table: [(&str, &str, u16); 13] = [
        // request                                  headers      status
        (PUT,                                       TTL,         200),
        (PUT,                                       "",          400),
        (PUT,                                       &long,       400),
        (PUT,                                       &forwarded,  403),
        ("PUT /2021-07-15/api/token",               TTL,         403),
        (GET,                                       "",          401),
        (GET,                                       "X-aws-ec2-metadata-token: x\r\n", 401),
        (GET,                                       &with,       200),
        ("HEAD /latest/meta-data/instance-id",      &with,       200),
        ("GET /latest/dynamic/instance-identity/document", &with, 200),
        ("GET /latest/meta-data/nosuch",            &with,       404),
        ("DELETE /latest/meta-data/instance-id",    &with,       405),
        ("POST /latest/api/token",                  TTL,         405),
    ];
    for (request, headers, status) in table {
        let answer = ask(&imds.url(), request, headers);
        let begin = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begin), "{request}: {answer}");
    }
    let asked = imds.asked();
    assert_eq!(asked.len(), table.len() + 1);
    assert!(asked.iter().all(|asked| asked.user_agent == "test"));
    let connections = asked.iter().map(|asked| asked.connection);
    assert!(connections.eq(0..asked.len()), "{asked:?}");
}

#[test]
fn where_sessions_are_optional_only_a_wrong_token_is_refused() {
    let imds = Imds::start(lab::aws_mock(), Mood::Optional);
    assert!(ask(&imds.url(), PUT, TTL).starts_with("HTTP/1.1 200 "));
    assert!(ask(&imds.url(), GET, "").starts_with("HTTP/1.1 200 "));
    let wrong = "X-aws-ec2-metadata-token: x\r\n";
    assert!(ask(&imds.url(), GET, wrong).starts_with("HTTP/1.1 401 "));
}

#[test]
fn a_token_ends_when_its_time_is_over() {
    let imds = Imds::start(lab::aws_mock(), Mood::Fair);
    let answer = ask(&imds.url(), PUT, &TTL.replace("60", "1"));
    let token = answer.rsplit("\r\n").next().unwrap().to_owned();
    let with = format!("X-aws-ec2-metadata-token: {token}\r\n");
    assert!(ask(&imds.url(), GET, &with).starts_with("HTTP/1.1 200 "));
    let end = std::time::Instant::now() + Duration::from_secs(5);
    while !ask(&imds.url(), GET, &with).starts_with("HTTP/1.1 401 ") {
        assert!(std::time::Instant::now() < end, "the token lives on");
    }
}

#[test]
fn every_mood_has_its_way_to_be_wrong() {
    #[rustfmt::skip]
    let table = [
        // mood           an answer begins  its length  how it ends
        ("fair",          "HTTP/1.1 200 ",  Some(19),   "i-1234567890abcdef0"),
        ("forgetful:0",   "HTTP/1.1 401 ",  Some(0),    "\r\n\r\n"),
        ("cuts-short",    "HTTP/1.1 200 ",  Some(20),   "i-1234567890abcdef0"),
        ("slow",          "HTTP/1.1 200 ",  Some(20),   "(still open)"),
        ("huge",          "HTTP/1.1 200 ",  None,       "(still open)"),
        ("redirects",     "HTTP/1.1 302 ",  Some(0),    "\r\n\r\n"),
        ("web-page",      "HTTP/1.1 200 ",  Some(19),   "</html>"),
    ];
    for (mood, begin, length, end) in table {
        let imds = Imds::start(lab::aws_mock(), mood.parse().unwrap());
        let token = token(&imds.url());
        let with = format!("X-aws-ec2-metadata-token: {token}\r\n");
        let answer = ask(&imds.url(), GET, &with);
        assert!(answer.starts_with(begin), "{mood}: {answer}");
        assert!(answer.ends_with(end), "{mood}: {answer}");
        let after = answer.split_once("content-length: ");
        let found = after.map(|(_, text)| text.split('\r').next().unwrap().parse().unwrap());
        assert_eq!(found, length, "{mood}: {answer}");
    }
    #[rustfmt::skip]
    let table = [
        // mood           how the answers to three token requests begin
        ("disabled",      [403, 403, 403]),
        ("no-sessions",   [404, 404, 404]),
        ("throttles:2",   [503, 503, 200]),
    ];
    for (mood, statuses) in table {
        let imds = Imds::start(lab::aws_mock(), mood.parse().unwrap());
        for status in statuses {
            let answer = ask(&imds.url(), PUT, TTL);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{mood}: {answer}"
            );
        }
    }
    let error = "grumpy".parse::<Mood>().unwrap_err().to_string();
    assert!(
        error.contains("`grumpy`") && error.contains("throttles:N"),
        "{error}"
    );
}

#[test]
fn a_reset_comes_in_the_middle_of_an_answer_and_only_as_often_as_was_said() {
    let imds = Imds::start(lab::aws_mock(), Mood::Resets(1));
    let token = token(&imds.url());
    let with = format!("X-aws-ec2-metadata-token: {token}\r\n");
    let answer = ask(&imds.url(), GET, &with);
    assert!(answer.ends_with("(reset)"), "{answer}");
    assert!(ask(&imds.url(), GET, &with).starts_with("HTTP/1.1 200 "));
    let statuses: Vec<u16> = imds.asked().iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [200, 0, 200]);
}

#[test]
fn latency_makes_rounds_of_requests_visible_on_both_addresses() {
    let Some(v6) = lab::ipv6_loopback() else {
        return;
    };
    let imds = Imds::with(Setup {
        listen: vec![LOOPBACK, v6],
        latency: Duration::from_millis(200),
        ..Setup::default()
    })
    .unwrap();
    let urls = imds.urls();
    assert!(
        urls.iter().any(|url| url.starts_with("http://[::1]:")),
        "{urls:?}"
    );
    token(&imds.url());
    std::thread::scope(|scope| {
        for url in &urls {
            scope.spawn(move || token(url));
        }
    });
    // One, and then two at once.
    let rounds: Vec<usize> = imds.asked().iter().map(|asked| asked.round).collect();
    assert_eq!(rounds, [1, 2, 2]);
}

fn token(url: &str) -> String {
    let answer = ask(url, PUT, TTL);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

/// One request on a connection of its own: what came, and whether the connection ended well.
fn ask(url: &str, request: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let patience = Some(Duration::from_millis(500));
    stream.set_read_timeout(patience).unwrap();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: imds\r\nUser-Agent: test\r\nConnection: close\r\n{headers}\r\n"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break "",
            Ok(_) if answer.len() > 1 << 20 => break "(still open)",
            Ok(count) => answer.extend_from_slice(chunk.get(..count).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break "(reset)",
            Err(_) => break "(still open)",
        }
    };
    String::from_utf8_lossy(&answer).into_owned() + end
}
