//! Many objects at once, each into a place of its own.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bucket::{Ask, Bucket, LIMITS, TRIES, pause};
use super::{Object, S3Error};
use crate::runtime::block_on;

/// How many objects are on their way at the same time.
const AT_ONCE: usize = 8;

/// Where an object's bytes go.
pub trait Sink {
    /// From here on the object begins anew: forget what came before.
    ///
    /// # Errors
    /// What the kernel said.
    fn begin(&mut self) -> io::Result<()>;

    /// The next bytes.
    ///
    /// # Errors
    /// What the kernel said.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// What is known of an object that came whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Got {
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of the whole object that S3 keeps, in base64; `None` if whoever put it there
    /// gave none. Source: Amazon S3 User Guide, "Checking object integrity".
    pub sha256: Option<String>,
}

type Queue<T> = Arc<Mutex<VecDeque<(usize, Object, T)>>>;

pub(super) fn all<T: Sink + Send + 'static>(
    bucket: &Arc<Bucket>,
    wanted: Vec<(Object, T)>,
) -> Vec<(T, Result<Got, S3Error>)> {
    let count = wanted.len();
    let numbered = wanted.into_iter().enumerate();
    let queue: VecDeque<_> = numbered
        .map(|(at, (object, sink))| (at, object, sink))
        .collect();
    let queue: Queue<T> = Arc::new(Mutex::new(queue));
    let done = block_on(async {
        let mut workers = JoinSet::new();
        for _ in 0..count.min(AT_ONCE) {
            workers.spawn(work(Arc::clone(bucket), Arc::clone(&queue)));
        }
        let mut done = Vec::with_capacity(count);
        while let Some(worked) = workers.join_next().await {
            done.extend(worked.unwrap_or_default());
        }
        done
    });
    let mut done = done.unwrap_or_default();
    // Without a runtime nothing was taken from the queue.
    let left = std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner));
    done.extend(left.into_iter().map(|(at, object, sink)| {
        let what = format!("get s3://{}/{}", bucket.name(), object.key);
        let source = "it was not asked for".into();
        (at, sink, Err(S3Error::Network { what, source }))
    }));
    done.sort_by_key(|(at, ..)| *at);
    done.into_iter().map(|(_, sink, got)| (sink, got)).collect()
}

async fn work<T: Sink>(
    bucket: Arc<Bucket>,
    queue: Queue<T>,
) -> Vec<(usize, T, Result<Got, S3Error>)> {
    let mut done = Vec::new();
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    while let Some((at, object, mut sink)) = next() {
        let got = one(&bucket, &object, &mut sink).await;
        done.push((at, sink, got));
    }
    done
}

/// The object that was listed, not one that has taken its place since.
async fn one(bucket: &Bucket, object: &Object, sink: &mut impl Sink) -> Result<Got, S3Error> {
    let ask = Ask {
        what: format!("get s3://{}/{}", bucket.name(), object.key),
        key: &object.key,
        query: &[],
        headers: vec![
            ("if-match", object.etag.clone()),
            ("x-amz-checksum-mode", "ENABLED".to_owned()),
        ],
        limits: LIMITS,
    };
    let failed = |source: io::Error| S3Error::Sink {
        key: object.key.clone(),
        source,
    };
    let mut turn = 0;
    loop {
        turn += 1;
        let mut reply = bucket.send(&ask).await?;
        let sum = reply.header("x-amz-checksum-sha256");
        // With a hyphen it is a sum over the sums of an upload's parts.
        let sha256 = sum.filter(|sum| !sum.contains('-')).map(str::to_owned);
        sink.begin().map_err(failed)?;
        let mut bytes = 0_u64;
        let broken = loop {
            match reply.chunk().await {
                Ok(Some(piece)) => {
                    bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    sink.write(&piece).map_err(failed)?;
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let error = match broken {
            None if bytes == object.size => return Ok(Got { bytes, sha256 }),
            None => {
                return Err(S3Error::Changed {
                    key: object.key.clone(),
                });
            }
            Some(error) => error,
        };
        if turn == TRIES || !error.is_transient() {
            return Err(S3Error::Network {
                what: ask.what,
                source: Box::new(error),
            });
        }
        sleep(pause(turn, None)).await;
    }
}
