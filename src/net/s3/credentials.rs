//! The credentials of the instance's role.
//!
//! Source: EC2 User Guide, "Retrieve security credentials from instance metadata".

use contract::secret::Secret;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{RoleSource, S3Error};

const ROLES: &str = "meta-data/iam/security-credentials/";

/// Asked for at the first use, and kept until S3 says that they have ended.
#[derive(Debug)]
pub(super) struct Credentials {
    source: Option<RoleSource>,
    now: Mutex<Option<Keys>>,
}

/// What requests are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) id: Secret<String>,
    pub(super) secret: Secret<String>,
    pub(super) token: Option<Secret<String>>,
}

/// The service's answer, as far as it is used.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<Secret<String>>,
    token: Option<Secret<String>>,
}

impl Credentials {
    pub(super) fn new(source: Option<RoleSource>) -> Self {
        Self {
            source,
            now: Mutex::default(),
        }
    }

    /// The keys; other ones than `ended`, which S3 does not take any more.
    pub(super) async fn keys(&self, ended: Option<&Keys>) -> Result<Keys, S3Error> {
        // Held while asking, so that several requests at once ask once.
        let mut now = self.now.lock().await;
        if let Some(keys) = now.as_ref().filter(|keys| Some(*keys) != ended) {
            return Ok(keys.clone());
        }
        let source = self.source.as_ref().ok_or(S3Error::NoSource)?;
        let keys = ask(source).await?;
        *now = Some(keys.clone());
        Ok(keys)
    }
}

async fn ask(source: &RoleSource) -> Result<Keys, S3Error> {
    let service = source.service()?;
    let roles = service.get(ROLES).await.map_err(S3Error::Imds)?;
    let roles = roles.ok_or(S3Error::NoRole)?;
    let roles = String::from_utf8_lossy(roles.expose()).into_owned();
    let role = roles.lines().next().unwrap_or_default().trim().to_owned();
    if role.is_empty() {
        return Err(S3Error::NoRole);
    }
    let answer = service.get(&format!("{ROLES}{role}")).await;
    let answer = answer.map_err(S3Error::Imds)?.ok_or(S3Error::NoRole)?;
    parse(answer.expose()).map_err(|reason| S3Error::BadCredentials { role, reason })
}

fn parse(json: &[u8]) -> Result<Keys, String> {
    // The error of serde_json may quote what it read.
    let answer: Answer = serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("not the JSON that is expected, at {line}:{column}")
    })?;
    if let Some(code) = answer.code.filter(|code| code != "Success") {
        return Err(format!("its code is `{code}`"));
    }
    let given = |text: &String| !text.is_empty();
    let id = answer.access_key_id.filter(given);
    let secret = answer.secret_access_key.filter(|text| given(text.expose()));
    Ok(Keys {
        id: Secret::new(id.ok_or("there is no AccessKeyId")?),
        secret: secret.ok_or("there is no SecretAccessKey")?,
        token: answer.token.filter(|text| given(text.expose())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_credentials_is_named_without_its_values() {
        #[rustfmt::skip]
        let table = [
            (r#"{"Code": "Success", "AccessKeyId": "A", "SecretAccessKey": "s", "Token": "t"}"#, None),
            (r#"{"AccessKeyId": "A", "SecretAccessKey": "s"}"#,                 None),
            (r#"{"Code": "AssumeRoleUnauthorizedAccess", "AccessKeyId": "A"}"#, Some("its code is `AssumeRoleUnauthorizedAccess`")),
            (r#"{"Code": "Success", "SecretAccessKey": "hunter2"}"#,            Some("there is no AccessKeyId")),
            (r#"{"Code": "Success", "AccessKeyId": "A"}"#,                      Some("there is no SecretAccessKey")),
            (r#"{"AccessKeyId": "A", "SecretAccessKey": {"x": "hunter2"}}"#,    Some("not the JSON that is expected, at 1:")),
            ("<html>",                                                          Some("not the JSON that is expected, at 1:1")),
        ];
        for (json, fault) in table {
            match (parse(json.as_bytes()), fault) {
                (Ok(keys), None) => assert_eq!(keys.id.expose(), "A"),
                (Err(said), Some(fault)) => {
                    assert!(
                        said.starts_with(fault) && !said.contains("hunter2"),
                        "{said}"
                    );
                }
                (other, _) => panic!("{json}: {other:?}"),
            }
        }
    }
}
