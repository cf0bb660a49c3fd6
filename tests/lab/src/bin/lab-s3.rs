//! An S3 server that runs as long as its standard input is open, and is told there what to do.
//!
//! `lab-s3 ADDRESS` prints its endpoint when it is ready. Then it reads a line for each wish, and
//! answers each with a line: `put BUCKET KEY FILE` stores a file, `credentials` gives those of a
//! role, as `iam/security-credentials/ROLE` has them.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::{env, fs, io};

use lab::S3;

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("lab-s3 needs an address")?;
    let server = S3::start_at(address.parse()?, "AKIDLAB", "lab-secret")
        .ok_or("lab-s3 needs the program that FIRSTLIGHT_WEED names")?;
    let mut out = io::stdout();
    writeln!(out, "{}", server.endpoint())?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["put", bucket, key, file] => {
                server.put(bucket, key, &fs::read(file)?);
                "stored".to_owned()
            }
            ["credentials"] => server.role_credentials().to_string(),
            _ => return Err(format!("lab-s3 does not understand `{line}`").into()),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
