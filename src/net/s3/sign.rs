//! AWS Signature Version 4 in the `Authorization` header, as S3 wants it.
//!
//! Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::calendar::Utc;
use contract::hex::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What a request is signed with.
///
/// There is no `Debug`, so that the secret reaches no log.
pub struct Keys<'a> {
    /// The access key id.
    pub id: &'a str,
    /// The secret access key.
    pub secret: &'a str,
    /// The session token of temporary credentials.
    pub token: Option<&'a str>,
}

/// A request before it is signed.
pub struct Unsigned<'a> {
    /// `GET`
    pub method: &'a str,
    /// The `Host` header: host, and port where it is not the default.
    pub host: &'a str,
    /// Encoded by [`encode_path`].
    pub path: &'a str,
    /// Encoded by [`encode_query`].
    pub query: &'a str,
    /// Lower-case names.
    pub headers: &'a [(&'static str, String)],
    /// Hashed and signed too.
    pub body: &'a [u8],
}

/// The headers to add to `request`, `host` not among them. A clock that is more than 15 minutes
/// wrong makes S3 refuse them (`RequestTimeTooSkewed`).
#[must_use]
pub fn sign(
    request: &Unsigned<'_>,
    keys: &Keys<'_>,
    region: &str,
    now: SystemTime,
) -> Vec<(&'static str, String)> {
    let stamp = Stamp::of(now);
    let payload = hex(&Sha256::digest(request.body));
    let mut added = vec![
        ("x-amz-content-sha256", payload.clone()),
        ("x-amz-date", stamp.time.clone()),
    ];
    if let Some(token) = keys.token {
        added.push(("x-amz-security-token", token.to_owned()));
    }

    let mut signed: Vec<(&str, &str)> = vec![("host", request.host)];
    let all = request.headers.iter().chain(&added);
    signed.extend(all.map(|(name, value)| (*name, value.trim())));
    signed.sort_unstable();
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");

    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for (name, value) in &signed {
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{payload}");

    let scope = format!("{}/{region}/s3/aws4_request", stamp.date);
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", stamp.time);

    let first = format!("AWS4{}", keys.secret);
    let key = [&stamp.date, region, "s3", "aws4_request"]
        .iter()
        .fold(first.into_bytes(), |key, step| hmac(&key, step.as_bytes()));
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    added.push((
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            keys.id
        ),
    ));
    added
}

/// An object's key as the path of a request: every byte but unreserved characters and `/` encoded.
#[must_use]
pub fn encode_path(key: &str) -> String {
    encode(key, true)
}

/// Parameters as a query string in the order that signing wants.
#[must_use]
pub fn encode_query(parameters: &[(&str, &str)]) -> String {
    let mut pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

fn encode(text: &str, keep_slash: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            b'/' if keep_slash => encoded.push('/'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length, so there is no error to report.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

/// A moment as a signature writes it, in UTC.
struct Stamp {
    /// `20130524`
    date: String,
    /// `20130524T000000Z`
    time: String,
}

impl Stamp {
    fn of(now: SystemTime) -> Self {
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let utc = Utc::at(seconds);
        let date = format!("{:04}{:02}{:02}", utc.year, utc.month, utc.day);
        let time = format!("{date}T{:02}{:02}{:02}Z", utc.hour, utc.minute, utc.second);
        Self { date, time }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 2013-05-24 00:00:00 UTC
    const WHEN: Duration = Duration::from_secs(1_369_353_600);
    const KEYS: Keys<'static> = Keys {
        id: "AKIAIOSFODNN7EXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        token: None,
    };

    fn authorization(request: &Unsigned<'_>, keys: &Keys<'_>) -> String {
        let headers = sign(request, keys, "us-east-1", UNIX_EPOCH + WHEN);
        headers
            .into_iter()
            .find(|h| h.0 == "authorization")
            .unwrap()
            .1
    }

    #[test]
    fn the_examples_of_the_s3_reference_get_their_signatures() {
        let get = |path, query, headers| Unsigned {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path,
            query,
            headers,
            body: b"",
        };
        let range = [("range", "bytes=0-9".to_owned())];
        let put = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        let list = encode_query(&[("prefix", "J"), ("max-keys", "2")]);
        let file = encode_path("/test$file.text");
        #[rustfmt::skip]
        let table = [
            (get("/test.txt", "", &range), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
            (get("/", "lifecycle=", &[]),  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (get("/", &list, &[]),         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
            (Unsigned { method: "PUT", body: b"Welcome to Amazon S3.", ..get(&file, "", &put) },
                                           "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        ];
        for (request, signature) in table {
            let header = authorization(&request, &KEYS);
            assert!(header.ends_with(signature), "{}: {header}", request.path);
        }
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let request = Unsigned {
            method: "GET",
            host: "h",
            path: "/",
            query: "",
            headers: &[],
            body: b"",
        };
        let keys = Keys {
            token: Some("t0k"),
            ..KEYS
        };
        let headers = sign(&request, &keys, "us-east-1", UNIX_EPOCH + WHEN);
        assert!(headers.contains(&("x-amz-security-token", "t0k".to_owned())));
        assert!(authorization(&request, &keys).contains("x-amz-date;x-amz-security-token,"));
    }

    #[test]
    fn dates_follow_the_calendar() {
        let table = [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_709_251_200, "20240301T000000Z"),
            (4_107_542_400, "21000301T000000Z"),
        ];
        for (seconds, stamp) in table {
            let time = Stamp::of(UNIX_EPOCH + Duration::from_secs(seconds)).time;
            assert_eq!(time, stamp);
        }
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(encode_path("/a b/ü+~.html"), "/a%20b/%C3%BC%2B~.html");
        assert_eq!(
            encode_query(&[("b", "x/y"), ("a", "1 2")]),
            "a=1%202&b=x%2Fy"
        );
    }
}
