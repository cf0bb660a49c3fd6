//! The server: hyper on a thread of its own.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use std::{io, str};

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, SERVER, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use net::io::Io;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::body::{Answer, End, Scripted};
use super::state::{Reply, State};
use super::{Asked, lock};

/// Serves until the sender sends or is dropped.
pub(super) fn spawn(
    listeners: Vec<TcpListener>,
    state: Arc<Mutex<State>>,
) -> io::Result<(oneshot::Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for listener in &listeners {
        listener.set_nonblocking(true)?;
    }
    let server = thread::spawn(move || {
        runtime.block_on(async {
            for listener in listeners {
                tokio::spawn(accept(listener, Arc::clone(&state)));
            }
            // The tasks go with the runtime.
            let _ = stopped.await;
        });
    });
    Ok((stop, server))
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, Arc::clone(&state)));
    }
}

async fn connection(stream: TcpStream, state: Arc<Mutex<State>>) -> io::Result<()> {
    let (number, resets) = lock(&state).connected();
    stream.set_nodelay(true)?;
    if resets {
        stream.set_zero_linger()?;
    }
    let service = service_fn(move |request| answer(request, number, Arc::clone(&state)));
    // A client that goes away in the middle is no fault of the server.
    let _ = http1::Builder::new()
        .serve_connection(Io::new(stream), service)
        .await;
    Ok(())
}

async fn answer(request: Request<Incoming>, connection: usize, state: Arc<Mutex<State>>) -> Answer {
    let begin = Instant::now();
    let (method, path) = (request.method().as_str(), request.uri().path());
    let (reply, latency) = {
        let mut state = lock(&state);
        let reply = state.answer(method, path, request.headers());
        (reply, state.latency())
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|value| str::from_utf8(value.as_bytes()).ok());
    let whole = reply.end == End::Whole;
    let asked = Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        status: if whole { reply.status } else { 0 },
        connection,
        user_agent: agent.unwrap_or_default().to_owned(),
        round: 0,
    };
    lock(&state).note(asked, begin);
    Ok(response(reply))
}

fn response(reply: Reply) -> Response<Scripted> {
    let mut response = Response::builder()
        .status(reply.status)
        .header(SERVER, "EC2ws");
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    if reply.body.is_empty() && reply.end == End::Whole {
        response = response.header(CONTENT_LENGTH, 0);
    }
    response.body(Scripted::new(reply.body, reply.end)).unwrap()
}
