//! An instance metadata service that runs until it is ended.
//!
//! `lab-imds --listen ADDRESS:PORT [--listen ..] --tree FILE [--log FILE] [--latency-ms N]
//! [--mood MOOD]`; the tree and the moods are those of `lab::Setup`.

use std::error::Error;
use std::time::Duration;
use std::{env, fs, thread};

use lab::{Imds, Setup};

fn main() -> Result<(), Box<dyn Error>> {
    let mut setup = Setup::default();
    setup.listen.clear();
    let mut words = env::args().skip(1);
    while let Some(option) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--listen" => setup.listen.push(value.parse()?),
            "--tree" => setup.tree = serde_json::from_str(&fs::read_to_string(&value)?)?,
            "--log" => setup.log = Some(value.into()),
            "--latency-ms" => setup.latency = Duration::from_millis(value.parse()?),
            "--mood" => setup.mood = value.parse()?,
            _ => return Err(format!("there is no option {option}").into()),
        }
    }
    if setup.listen.is_empty() {
        return Err("--listen says where".into());
    }
    let _service = Imds::with(setup)?;
    loop {
        thread::park();
    }
}
