//! An S3 server that checks signatures, conditions and checksums: SeaweedFS, a real one.
//!
//! Source: <https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API>.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, io};

use net::s3::sign::{Keys, Unsigned, sign};
use serde_json::{Value, json};

/// Names the program `weed`; `tests/setup` installs it.
const PROGRAM: &str = "FIRSTLIGHT_WEED";
/// It needs some 4 seconds, on a busy machine more.
const START_LIMIT: Duration = Duration::from_secs(90);
/// A port that was free a moment ago may be taken by somebody else; then there are others.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// The server's keeper. It lives as long as its standard input is open, which is as long as the
/// test's process lives, however that ends: a test runner that kills it leaves no server behind.
/// The server is killed outright, because it takes 15 seconds to end when asked, and nothing of
/// it is kept.
const KEEPER: &str = r#"
"$@" </dev/null &
server=$!
cat >/dev/null
kill -KILL "$server"
wait "$server" 2>/dev/null
rm -rf "$LAB_DIR"
"#;

/// A running S3 server with one user, who may do everything; it ends when dropped, or with the
/// process.
pub struct S3 {
    keeper: Child,
    ports: Ports,
    access_key: String,
    secret_key: String,
}

impl S3 {
    /// Starts a server, empty, that knows these credentials and no others.
    ///
    /// `None` when `FIRSTLIGHT_WEED` is not in the environment: then the test says so and ends. With
    /// `CI=true` that fails the test.
    #[must_use]
    pub fn start(access_key: &str, secret_key: &str) -> Option<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), access_key, secret_key)
    }

    /// The same at another address of this machine, for whoever cannot reach its loopback.
    #[must_use]
    pub fn start_at(ip: IpAddr, access_key: &str, secret_key: &str) -> Option<Self> {
        let program = program(PROGRAM)?;
        let mut attempts =
            (0..ATTEMPTS).filter_map(|_| Self::try_start(&program, ip, access_key, secret_key));
        attempts.next().or_else(|| panic!("no port is free"))
    }

    /// `http://127.0.0.1:PORT`; buckets are the first part of the path.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.ports.at(self.ports.s3))
    }

    /// The access key id that it was started with.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret access key that it was started with.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// Stores an object, and makes its bucket where there is none. Its `ETag` is its MD5.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let status = self.filer("PUT", bucket, key, bytes);
        assert!(matches!(status, Ok(201)), "put {bucket}/{key}: {status:?}");
    }

    /// Deletes an object; one that is not there is deleted already.
    pub fn delete(&self, bucket: &str, key: &str) {
        let status = self.filer("DELETE", bucket, key, b"");
        let gone = matches!(status, Ok(204 | 404));
        assert!(gone, "delete {bucket}/{key}: {status:?}");
    }

    /// Credentials that an instance with a role would have for this server, in the form of
    /// `iam/security-credentials/ROLE`: new ones at each call, good for an hour, with a session
    /// token that the server checks.
    ///
    /// Source: AWS STS API Reference, "AssumeRole"; EC2 User Guide, "Retrieve security
    /// credentials from instance metadata".
    #[must_use]
    pub fn role_credentials(&self) -> Value {
        let body = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=i-lab\
                    &RoleArn=arn:aws:iam::role/lab";
        let server = self.ports.at(self.ports.s3);
        let host = server.to_string();
        let form = (
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        );
        let mut headers = vec![form];
        let keys = Keys {
            id: &self.access_key,
            secret: &self.secret_key,
            token: None,
        };
        let request = Unsigned {
            method: "POST",
            host: &host,
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let added = sign(&request, &keys, "us-east-1", SystemTime::now());
        headers.extend(added);
        let answer = exchange(server, "POST", "/", &headers, body.as_bytes()).unwrap();
        let element = |name: &str| {
            let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap_or_else(|| {
                panic!("AssumeRole gave no {name}:\n{answer}");
            });
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        json!({
            "Code": "Success",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "Type": "AWS-HMAC",
            "AccessKeyId": element("AccessKeyId"),
            "SecretAccessKey": element("SecretAccessKey"),
            "Token": element("SessionToken"),
            "Expiration": element("Expiration"),
        })
    }

    /// `None` when a port was taken.
    fn try_start(program: &Path, ip: IpAddr, access_key: &str, secret_key: &str) -> Option<Self> {
        let dir = fresh_directory();
        let identities = json!({"identities": [{
            "name": "lab",
            "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }]});
        fs::write(dir.join("identities.json"), identities.to_string()).unwrap();
        fs::write(dir.join("roles.json"), roles().to_string()).unwrap();
        let log = fs::File::create(dir.join("log")).unwrap();
        let ports = Ports::free(ip);
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "sh"])
            .arg(program)
            .args(ports.arguments(&dir))
            // It reads settings from here and from HOME, and those of whoever tests are not ours.
            .current_dir(&dir)
            .env("HOME", &dir)
            .env("LAB_DIR", &dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self {
            keeper,
            ports,
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
        };
        let end = Instant::now() + START_LIMIT;
        while !server.answers() {
            let said = fs::read_to_string(dir.join("log")).unwrap_or_default();
            if said.contains("address already in use") {
                return None;
            }
            assert!(
                Instant::now() < end,
                "weed does not start; it said:\n{said}"
            );
            thread::sleep(PAUSE);
        }
        Some(server)
    }

    /// Whether it stores what comes and answers for S3: it does the one before the other.
    fn answers(&self) -> bool {
        let stores = status(self.ports.at(self.ports.filer), "PUT", "/lab-ready", b"x");
        let speaks = || status(self.ports.at(self.ports.s3), "GET", "/healthz", b"");
        matches!(stores, Ok(201)) && matches!(speaks(), Ok(200))
    }

    /// The filer is the server's back door: what lies in its `/buckets` are buckets, and nothing
    /// there needs a signature.
    fn filer(&self, method: &str, bucket: &str, key: &str, body: &[u8]) -> io::Result<u16> {
        let path = format!("/buckets/{bucket}/{}", encode(key));
        status(self.ports.at(self.ports.filer), method, &path, body)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // Waiting closes its standard input first.
        let _ = self.keeper.wait();
    }
}

/// The server is four services in one process, each with a port for HTTP and one for gRPC.
struct Ports {
    ip: IpAddr,
    s3: u16,
    filer: u16,
    others: [u16; 6],
}

impl Ports {
    fn free(ip: IpAddr) -> Self {
        // All are held until each has its own.
        let held: [_; 8] = std::array::from_fn(|_| TcpListener::bind((ip, 0)).unwrap());
        let [s3, filer, others @ ..] = held.map(|port| port.local_addr().unwrap().port());
        Self {
            ip,
            s3,
            filer,
            others,
        }
    }

    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }

    fn arguments(&self, dir: &Path) -> Vec<String> {
        let Self {
            ip,
            s3,
            filer,
            others,
        } = self;
        let [
            s3_grpc,
            filer_grpc,
            master,
            master_grpc,
            volume,
            volume_grpc,
        ] = others;
        [
            "server".to_owned(),
            format!("-dir={}", dir.display()),
            format!("-ip={ip}"),
            format!("-ip.bind={ip}"),
            format!("-master.port={master}"),
            format!("-master.port.grpc={master_grpc}"),
            "-master.volumeSizeLimitMB=64".to_owned(),
            "-master.telemetry=false".to_owned(),
            format!("-volume.port={volume}"),
            format!("-volume.port.grpc={volume_grpc}"),
            "-volume.max=100".to_owned(),
            format!("-filer.port={filer}"),
            format!("-filer.port.grpc={filer_grpc}"),
            "-s3".to_owned(),
            format!("-s3.port={s3}"),
            format!("-s3.port.grpc={s3_grpc}"),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-s3.config={}", dir.join("identities.json").display()),
            format!("-s3.iam.config={}", dir.join("roles.json").display()),
        ]
        .to_vec()
    }
}

/// A role that everybody known may take, and which may do everything with objects.
fn roles() -> Value {
    let allow = |action: &str| json!({"Effect": "Allow", "Action": [action], "Resource": ["*"]});
    let trust = json!({"Effect": "Allow", "Principal": "*", "Action": ["sts:AssumeRole"]});
    let document = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    json!({
        // The key signs session tokens of this one server.
        "sts": {"issuer": "lab", "signingKey": "bGFiLWxhYi1sYWItbGFiLWxhYi1sYWItbGFiLWxhYi0="},
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [{"name": "objects", "document": document(allow("s3:*"))}],
        "roles": [{
            "roleName": "lab",
            "roleArn": "arn:aws:iam::role/lab",
            "trustPolicy": document(trust),
            "attachedPolicies": ["objects"],
        }],
    })
}

/// The program that `variable` names, or `None` after having said that the test is skipped.
///
/// # Panics
/// With `CI=true`, where every test has to run.
#[must_use]
#[allow(
    clippy::print_stderr,
    reason = "whoever runs the tests reads why one did nothing"
)]
pub fn program(variable: &str) -> Option<PathBuf> {
    let program = env::var_os(variable).filter(|name| !name.is_empty());
    if program.is_none() {
        let in_ci = env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !in_ci,
            "{variable} is not set, and with CI=true nothing is skipped"
        );
        eprintln!("skipped: {variable} is not set");
    }
    program.map(PathBuf::from)
}

fn fresh_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = env::temp_dir().join(format!("lab-s3-{}-{number}", std::process::id()));
    fs::create_dir(&dir).unwrap();
    dir
}

/// One request on a connection of its own; all of the answer.
fn exchange(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// One request without a signature; the status of its answer.
fn status(server: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<u16> {
    let kind = ("Content-Type", "application/octet-stream".to_owned());
    let answer = exchange(server, method, path, &[kind], body)?;
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this is no HTTP"))
}

/// A key as the path of a URL.
fn encode(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let one = |byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    key.bytes().map(one).collect()
}
