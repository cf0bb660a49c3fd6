//! What S3 answers in XML: a page of `ListObjectsV2`, and errors.
//!
//! Source: Amazon S3 API Reference, "ListObjectsV2" and "Error responses".

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// An object of a bucket, as a list shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The entity tag, in its quotation marks as HTTP writes it.
    pub etag: String,
}

/// A page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of their keys.
    pub objects: Vec<Object>,
    /// Asks for the next page, where there is one.
    pub next: Option<String>,
}

/// What an error's body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// `NoSuchBucket`
    pub code: String,
    /// For people.
    pub message: String,
    /// The bucket's region, where a request was signed for another one.
    pub region: Option<String>,
}

/// An answer that is no such XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not what S3 answers: {0}")]
pub struct BadXml(String);

/// Reads a page.
///
/// # Errors
/// When it is no whole `ListBucketResult`, or an object has no key or no size.
pub fn page(xml: &[u8]) -> Result<Page, BadXml> {
    let mut page = Page::default();
    let mut object = Object::default();
    let mut truncated = false;
    let mut whole = false;
    elements(xml, |path, text| {
        match path {
            ["ListBucketResult", "Contents", "Key"] => object.key = text,
            ["ListBucketResult", "Contents", "ETag"] => object.etag = text,
            ["ListBucketResult", "Contents", "Size"] => {
                let bad = |_| BadXml(format!("`{}` has a size that is no number", object.key));
                object.size = text.trim().parse().map_err(bad)?;
            }
            ["ListBucketResult", "Contents"] => page.objects.push(std::mem::take(&mut object)),
            ["ListBucketResult", "IsTruncated"] => truncated = text.trim() == "true",
            ["ListBucketResult", "NextContinuationToken"] => page.next = Some(text),
            ["ListBucketResult"] => whole = true,
            _ => {}
        }
        Ok(())
    })?;
    if !whole {
        return Err(BadXml("no ListBucketResult".to_owned()));
    }
    if page.objects.iter().any(|object| object.key.is_empty()) {
        return Err(BadXml("an object without a key".to_owned()));
    }
    page.next = page.next.filter(|_| truncated);
    if truncated && page.next.is_none() {
        return Err(BadXml(
            "a list that goes on without saying where".to_owned(),
        ));
    }
    Ok(page)
}

/// Reads an error; one without a body, or with another body, has an empty code.
#[must_use]
pub fn refusal(xml: &[u8]) -> Refusal {
    let mut refusal = Refusal::default();
    // A proxy in between may answer HTML: the status alone says what there is to say then.
    let _ = elements(xml, |path, text| {
        match path {
            ["Error", "Code"] => refusal.code = text,
            ["Error", "Message"] => refusal.message = text,
            ["Error", "Region"] => refusal.region = Some(text),
            _ => {}
        }
        Ok(())
    });
    refusal
}

/// Deeper than anything that S3 answers.
const DEPTH_MAX: usize = 16;

/// Calls `ended` at the end of each element, with the names from the root to it and the text that
/// stands directly in it.
fn elements(
    xml: &[u8],
    mut ended: impl FnMut(&[&str], String) -> Result<(), BadXml>,
) -> Result<(), BadXml> {
    let xml = std::str::from_utf8(xml).map_err(|_| BadXml("not UTF-8".to_owned()))?;
    let mut reader = Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let mut names: Vec<String> = Vec::new();
    let mut text = String::new();
    loop {
        match reader.read_event().map_err(bad)? {
            Event::Start(start) => {
                if names.len() == DEPTH_MAX {
                    return Err(BadXml("elements too deep".to_owned()));
                }
                let name = start.local_name();
                names.push(name.as_ref().to_owned());
                text.clear();
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::CData(piece) => text.push_str(&piece),
            Event::GeneralRef(reference) => text.push(character(&reference)?),
            Event::End(_) => {
                let path: Vec<&str> = names.iter().map(String::as_str).collect();
                ended(&path, std::mem::take(&mut text))?;
                names.pop();
            }
            Event::DocType(_) => return Err(BadXml("a document type".to_owned())),
            Event::Eof if names.is_empty() => return Ok(()),
            Event::Eof => return Err(BadXml("it ends too early".to_owned())),
            _ => {}
        }
    }
}

/// `&amp;`, `&#38;`
fn character(reference: &BytesRef<'_>) -> Result<char, BadXml> {
    if let Some(character) = reference.resolve_char_ref().map_err(bad)? {
        return Ok(character);
    }
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(BadXml(format!("an unknown entity `{other}`"))),
    }
}

fn bad(error: impl std::fmt::Display) -> BadXml {
    BadXml(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>{inner}</ListBucketResult>"
        )
    }

    #[test]
    fn a_page_gives_objects_and_where_it_goes_on() {
        let xml = wrap(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>a+/=</NextContinuationToken>\
             <Contents><Key>a &amp; b&#x20;c.html</Key><ETag>&quot;d41d8&quot;</ETag><Size>7</Size>\
             <Owner><ID>x</ID></Owner></Contents>\
             <Contents><Key>z</Key><ETag>\"e\"</ETag><Size>0</Size></Contents>",
        );
        let object = |key: &str, size, etag: &str| Object {
            key: key.to_owned(),
            size,
            etag: etag.to_owned(),
        };
        assert_eq!(
            page(xml.as_bytes()),
            Ok(Page {
                objects: vec![
                    object("a & b c.html", 7, "\"d41d8\""),
                    object("z", 0, "\"e\"")
                ],
                next: Some("a+/=".to_owned()),
            })
        );
        let last = wrap("<IsTruncated>false</IsTruncated><NextContinuationToken/>");
        assert_eq!(page(last.as_bytes()), Ok(Page::default()));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let table = [
            String::new(),
            "<html><body>Proxy</body></html>".to_owned(),
            wrap("<IsTruncated>true</IsTruncated>"),
            wrap("<Contents><Size>1</Size></Contents>"),
            wrap("<Contents><Key>a</Key><Size>-1</Size></Contents>"),
            wrap("<Contents><Key>&lol;</Key></Contents>"),
            wrap("<Contents>").replace("</ListBucketResult>", ""),
            format!("<!DOCTYPE x>{}", wrap("")),
            "<a>".repeat(1000),
        ];
        for xml in table {
            assert!(page(xml.as_bytes()).is_err(), "{xml}");
        }
    }

    #[test]
    fn an_error_tells_its_code_and_region() {
        let xml = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' \
                   is wrong; expecting 'eu-central-1'</Message><Region>eu-central-1</Region></Error>";
        let refusal = refusal(xml.as_bytes());
        assert_eq!(refusal.code, "AuthorizationHeaderMalformed");
        assert_eq!(refusal.region.as_deref(), Some("eu-central-1"));
        assert_eq!(super::refusal(b"<html>").code, "");
    }
}
