//! The S3 server is a judge only if it refuses what S3 refuses.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use lab::S3;
use net::s3::sign::{Keys, Unsigned, encode_query, sign};

#[test]
fn the_s3_server_answers_whoever_signs_with_its_secret_and_nobody_else() {
    let Some(s3) = S3::start("AKIALAB", "a secret of the lab") else {
        return;
    };
    s3.put("site", "docs/a b+c.txt", b"hello");
    s3.put("site", "gone", b"for a moment");
    s3.delete("site", "gone");

    let role = s3.role_credentials();
    let role = |field: &str| role[field].as_str().unwrap().to_owned();
    let (id, secret, token) = (role("AccessKeyId"), role("SecretAccessKey"), role("Token"));
    let altered = format!("{token}x");
    #[rustfmt::skip]
    let table = [
        // access key     secret           session token  status  the answer holds
        (s3.access_key(), s3.secret_key(), None,           200, "<Key>docs/a b+c.txt</Key>"),
        // The MD5 of the object, as S3 has it for what was put in one piece.
        (s3.access_key(), s3.secret_key(), None,           200, "5d41402abc4b2a76b9719d911017c592"),
        (s3.access_key(), "another",       None,           403, "SignatureDoesNotMatch"),
        ("AKIAOTHER",     s3.secret_key(), None,           403, "InvalidAccessKeyId"),
        (s3.access_key(), s3.secret_key(), Some("made-up"), 403, "InvalidAccessKeyId"),
        // A role's credentials are good with their token only.
        (&id,             &secret,         Some(&token),   200, "<Key>docs/a b+c.txt</Key>"),
        (&id,             "another",       Some(&token),   403, "SignatureDoesNotMatch"),
        (&id,             &secret,         Some(&altered), 403, "InvalidAccessKeyId"),
        (&id,             &secret,         None,           403, "InvalidAccessKeyId"),
    ];
    for (row, (id, secret, token, status, holds)) in table.into_iter().enumerate() {
        let answer = list(&s3, &Keys { id, secret, token });
        let begin = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begin), "row {row}: {answer}");
        assert!(answer.contains(holds), "row {row}: {answer}");
        assert!(!answer.contains("gone"), "row {row}: {answer}");
    }
}

/// The listing of the bucket `site`, asked for with these credentials; head and body.
fn list(s3: &S3, keys: &Keys<'_>) -> String {
    let host = s3.endpoint().replace("http://", "");
    let query = encode_query(&[("list-type", "2")]);
    let request = Unsigned {
        method: "GET",
        host: &host,
        path: "/site",
        query: &query,
        headers: &[],
        body: b"",
    };
    let mut text = format!("GET /site?{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in sign(&request, keys, "us-east-1", SystemTime::now()) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut stream = TcpStream::connect(&host).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
