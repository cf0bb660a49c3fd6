//! What the service answers: its tree, its tokens and its mood.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant};

use hyper::header::HeaderMap;
use serde_json::Value;

use super::body::End;
use super::tree::{self, Found};
use super::{Asked, Mood, Setup};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const FORWARDED: &str = "x-forwarded-for";

pub(super) struct State {
    tree: Value,
    mood: Mood,
    /// How often the mood has been let out on each path.
    treated: HashMap<String, usize>,
    latency: Duration,
    /// Each token, its end, and how many items it has opened.
    tokens: HashMap<String, (Instant, usize)>,
    asked: Vec<Asked>,
    log: Option<File>,
    connections: usize,
    rounds: usize,
    /// When the first answer of the last round was sent: who had come by then belongs to it.
    round_end: Option<Instant>,
}

/// An answer, and how it ends.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) end: End,
}

impl State {
    pub(super) fn new(setup: Setup) -> std::io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            tree: setup.tree,
            mood: setup.mood,
            treated: HashMap::new(),
            latency: setup.latency,
            tokens: HashMap::new(),
            asked: Vec::new(),
            log: setup.log.map(open).transpose()?,
            connections: 0,
            rounds: 0,
            round_end: None,
        })
    }

    pub(super) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    pub(super) fn latency(&self) -> Duration {
        self.latency
    }

    pub(super) fn become_instance(&mut self, tree: Value) {
        self.tree = tree;
    }

    pub(super) fn set_mood(&mut self, mood: Mood) {
        self.mood = mood;
        self.treated.clear();
    }

    /// The number of a new connection, and whether it may have to be reset.
    pub(super) fn connected(&mut self) -> (usize, bool) {
        let number = self.connections;
        self.connections += 1;
        (number, matches!(self.mood, Mood::Resets(_)))
    }

    /// Notes a request that came at `begin` and is answered now; `asked` has no round yet.
    pub(super) fn note(&mut self, mut asked: Asked, begin: Instant) {
        if self.round_end.is_none_or(|end| begin >= end) {
            self.rounds += 1;
            self.round_end = Some(Instant::now());
        }
        asked.round = self.rounds;
        if let Some(log) = &mut self.log {
            let Asked { method, path, .. } = &asked;
            let (status, connection, round) = (asked.status, asked.connection, asked.round);
            let agent = &asked.user_agent;
            // A log on a full disk is no reason to answer nobody.
            let _ = writeln!(log, "{method} {path} {status} {connection} {round} {agent}");
        }
        self.asked.push(asked);
    }

    pub(super) fn answer(&mut self, method: &str, path: &str, headers: &HeaderMap) -> Reply {
        let get = matches!(method, "GET" | "HEAD");
        let mood = self.mood;
        match mood {
            Mood::Disabled => return Reply::status(403),
            Mood::NoSessions if !get => return Reply::status(404),
            Mood::Throttles(most) if self.treats(path, most) => {
                return Reply {
                    headers: vec![("retry-after", "1".into())],
                    ..Reply::status(503)
                };
            }
            _ => {}
        }
        if !get {
            return match method {
                "PUT" => self.token(path, headers),
                _ => Reply::status(405),
            };
        }
        let token = headers.get(TOKEN).and_then(|value| value.to_str().ok());
        let free = mood == Mood::NoSessions || mood == Mood::Optional && token.is_none();
        if !free && !self.admits(token) {
            return Reply::status(401);
        }
        let reply = self.item(path);
        let end = match mood {
            Mood::Redirects => {
                return Reply {
                    headers: vec![("location", "http://192.0.2.1/".into())],
                    ..Reply::status(302)
                };
            }
            Mood::WebPage => return Reply::ok("text/html", b"<html>log in</html>".to_vec()),
            Mood::CutsShort => End::Cut,
            Mood::Resets(most) if self.treats(path, most) => End::Cut,
            Mood::Slow => End::Never,
            Mood::Huge => End::Repeats,
            _ => End::Whole,
        };
        Reply { end, ..reply }
    }

    /// Whether this request is one of the first `most` for this path.
    fn treats(&mut self, path: &str, most: usize) -> bool {
        let count = self.treated.entry(path.to_owned()).or_default();
        *count += 1;
        *count <= most
    }

    fn token(&mut self, path: &str, headers: &HeaderMap) -> Reply {
        if path != "/latest/api/token" || headers.contains_key(FORWARDED) {
            return Reply::status(403);
        }
        let seconds = headers.get(TTL).and_then(|value| value.to_str().ok());
        let Some(seconds @ 1..=21_600) = seconds.and_then(|text| text.parse().ok()) else {
            return Reply::status(400);
        };
        let token = format!("token-{}==", self.tokens.len());
        let end = Instant::now() + Duration::from_secs(seconds);
        self.tokens.insert(token.clone(), (end, 0));
        let mut reply = Reply::ok("text/plain", token.into_bytes());
        reply.headers.push((TTL, seconds.to_string()));
        reply
    }

    fn admits(&mut self, token: Option<&str>) -> bool {
        let Some((end, used)) = token.and_then(|token| self.tokens.get_mut(token)) else {
            return false;
        };
        *used += 1;
        let worn = matches!(self.mood, Mood::Forgetful(most) if *used > most);
        !worn && Instant::now() < *end
    }

    fn item(&self, path: &str) -> Reply {
        match tree::find(&self.tree, path) {
            Found::Nothing => Reply::status(404),
            Found::Item(bytes) => Reply::ok("text/plain", bytes),
            Found::UserData(bytes) => Reply::ok("application/octet-stream", bytes),
        }
    }
}

impl Reply {
    fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            end: End::Whole,
        }
    }

    fn ok(kind: &str, body: Vec<u8>) -> Self {
        Self {
            headers: vec![("content-type", kind.to_owned())],
            body,
            ..Self::status(200)
        }
    }
}
