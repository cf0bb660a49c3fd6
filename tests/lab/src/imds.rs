//! The instance metadata service of EC2, version 2 only, over real HTTP on loopback.
//!
//! Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// A request's head and body together are shorter.
const LONGEST: u64 = 64 * 1024;

/// A request as it came, with the status that it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `PUT`.
    pub method: String,
    /// `/latest/meta-data/instance-id`.
    pub path: String,
    /// What it was answered with; 0 if the connection was cut.
    pub status: u16,
    /// The number of its connection, from 0.
    pub connection: usize,
}

/// How the service treats whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As the real one.
    #[default]
    Fair,
    /// Switched off for this instance: 403 to everything.
    Disabled,
    /// Every token is dead after this many answers.
    Forgetful(usize),
    /// Less of each item comes than its Content-Length says.
    CutsShort,
    /// Another place is named, where the items are said to be.
    Redirects,
    /// Whatever is asked for, a web page comes.
    WebPage,
}

/// A running service; it ends when dropped.
pub struct Imds {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    stopped: AtomicBool,
}

struct State {
    tree: Value,
    mood: Mood,
    /// Each token, its end, and how many items it has opened.
    tokens: HashMap<String, (Instant, usize)>,
    asked: Vec<Asked>,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Imds {
    /// Serves `tree`: `{"meta-data": {..}, "dynamic": {..}, "user-data": ".."}`. Objects are
    /// directories; a launch key is the entry `0=NAME` of `public-keys`.
    #[must_use]
    pub fn start(tree: Value, mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            tree,
            mood,
            tokens: HashMap::new(),
            asked: Vec::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            stopped: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if server.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let server = Arc::clone(&server);
                // A client that goes away in the middle is no fault of the server.
                thread::spawn(move || stream.and_then(|stream| server.serve(&stream, number)));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// Serves another tree from now on: another instance of the same image.
    pub fn become_instance(&self, tree: Value) {
        self.shared.state().tree = tree;
    }
}

impl Drop for Imds {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees the flag.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream, connection: usize) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some((method, path, headers)) = request(&mut reader)? {
            let mut state = self.state();
            let cut = state.mood == Mood::CutsShort && method == "GET";
            let reply = state.answer(&method, &path, &headers);
            state.asked.push(Asked {
                method,
                path,
                status: if cut { 0 } else { reply.status },
                connection,
            });
            drop(state);
            let mut bytes = format!("HTTP/1.1 {} -\r\nServer: EC2ws\r\n", reply.status);
            for (name, value) in &reply.headers {
                bytes.push_str(&format!("{name}: {value}\r\n"));
            }
            let missing = usize::from(cut);
            let length = reply.body.len() + missing;
            bytes.push_str(&format!("Content-Length: {length}\r\n\r\n"));
            let mut bytes = bytes.into_bytes();
            bytes.extend(reply.body);
            let mut writer = stream;
            writer.write_all(&bytes)?;
            if cut {
                break;
            }
        }
        Ok(())
    }
}

impl State {
    fn answer(&mut self, method: &str, path: &str, headers: &HashMap<String, String>) -> Reply {
        match (self.mood, method) {
            (Mood::Disabled, _) => Reply::status(403),
            (_, "PUT") => self.token(path, headers),
            (_, "GET") if !self.admits(headers.get(TOKEN)) => Reply::status(401),
            (Mood::Redirects, "GET") => Reply {
                headers: vec![("Location", "http://192.0.2.1/".into())],
                ..Reply::status(302)
            },
            (Mood::WebPage, "GET") => Reply::text("text/html", "<html>log in</html>"),
            (_, "GET") => self.item(path),
            _ => Reply::status(405),
        }
    }

    fn token(&mut self, path: &str, headers: &HashMap<String, String>) -> Reply {
        if path != "/latest/api/token" || headers.contains_key("x-forwarded-for") {
            return Reply::status(403);
        }
        let seconds = headers.get(TTL).and_then(|text| text.parse().ok());
        let Some(seconds @ 1..=21_600) = seconds else {
            return Reply::status(400);
        };
        let token = format!("token-{}==", self.tokens.len());
        let end = Instant::now() + Duration::from_secs(seconds);
        self.tokens.insert(token.clone(), (end, 0));
        let mut reply = Reply::text("text/plain", &token);
        reply.headers.push((TTL, seconds.to_string()));
        reply
    }

    fn admits(&mut self, token: Option<&String>) -> bool {
        let Some((end, used)) = token.and_then(|token| self.tokens.get_mut(token)) else {
            return false;
        };
        *used += 1;
        let worn = matches!(self.mood, Mood::Forgetful(most) if *used > most);
        !worn && Instant::now() < *end
    }

    fn item(&self, path: &str) -> Reply {
        let mut node = &self.tree;
        let mut name = "";
        // The first is the version: every one shows the same here.
        for part in path.split('/').filter(|part| !part.is_empty()).skip(1) {
            let Some(next) = node.as_object().and_then(|object| entry(object, part)) else {
                return Reply::status(404);
            };
            (node, name) = (next, part);
        }
        match node {
            Value::Object(object) => Reply::text("text/plain", &listing(name, object)),
            Value::String(text) if name == "user-data" => {
                Reply::text("application/octet-stream", text)
            }
            Value::String(text) => Reply::text("text/plain", text),
            _ => Reply::status(404),
        }
    }
}

impl Reply {
    fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn text(kind: &str, text: &str) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", kind.to_owned())],
            body: text.as_bytes().to_vec(),
        }
    }
}

/// An entry by its name, or by the number that stands before its name (`0=my-key` is `0`).
fn entry<'a>(object: &'a Map<String, Value>, part: &str) -> Option<&'a Value> {
    let numbered =
        |(name, _): &(&String, &Value)| name.split_once('=').map(|(n, _)| n) == Some(part);
    object
        .get(part)
        .or_else(|| object.iter().find(numbered).map(|(_, value)| value))
}

/// Directories end in `/`, but launch keys are listed by number and name only.
fn listing(directory: &str, object: &Map<String, Value>) -> String {
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(_) if directory != "public-keys" => format!("{name}/"),
        _ => name.clone(),
    };
    object.iter().map(line).collect::<Vec<_>>().join("\n")
}

type Head = (String, String, HashMap<String, String>);

/// Reads a request; its body, which no request here needs, is thrown away.
fn request(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Head>> {
    let mut line = String::new();
    let mut head = reader.take(LONGEST);
    head.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        head.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok());
    std::io::copy(&mut head.take(length.unwrap_or(0)), &mut std::io::sink())?;
    Ok(Some((method, path, headers)))
}
