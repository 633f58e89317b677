//! Puts on record that a mail could not be delivered, or that its recipient has complained of it, as the report of a mail server says that
//! came back. A report is never answered, and what is none is dropped: there is nobody to tell.

use std::io;
use std::io::Read;
use std::process::ExitCode;

use mailparse::{MailHeaderMap, ParsedMail};
use serde_json::json;
use tidemark_platform::Config;

use super::command_api::CommandApi;
use super::{Error, print};

/// The most that is looked at of a report. What follows is the mail that came back.
const READ_BYTES_MAX: u64 = 256 * 1_024;
/// How deep parts of a mail may be within others.
const DEPTH_MAX: usize = 8;
/// What recipients complain of: that a mail is unwanted, or a fraud. Other feedback is not theirs, or is none.
const COMPLAINTS: [&str; 2] = ["abuse", "fraud"];
/// By this exit code a mail server keeps the report and gives it again (`EX_TEMPFAIL` of `sysexits.h`). By another one it would
/// answer the report by a mail.
pub(super) const EXIT_LATER: u8 = 75;

/// Reads a report from the standard input that came to this address.
///
/// # Errors
/// If the report cannot be read, or is neither recorded nor refused for ever. Then it is to be given again.
pub(super) async fn bounce(config: &Config, address: &str) -> Result<ExitCode, Error> {
    let report = read(io::stdin().lock()).map_err(Error::Report)?;
    let (path, body, told) = match Report::read(&report) {
        Some(Report::Refusal { status }) => (
            "/v1/bounces",
            json!({"return_path": address, "status": status}),
            status,
        ),
        Some(Report::Complaint { return_path }) => (
            "/v1/complaints",
            json!({"return_path": return_path.as_deref().unwrap_or(address)}),
            "a complaint".to_owned(),
        ),
        None => {
            print(
                "No report of a mail that was refused for good, or complained of: nothing was recorded.",
            );
            return Ok(ExitCode::SUCCESS);
        }
    };
    let command_api = CommandApi::new(config)?;
    match command_api.post(path, None, &body).await? {
        Ok(_) => print(&format!("Recorded: {told}")),
        // What is refused so now is refused so for ever.
        Err(refusal) if is_final(refusal.code.as_deref()) => {
            print(&format!("Nothing was recorded: {refusal}"));
        }
        Err(refusal) => return Err(Error::Refused(refusal.to_string())),
    }
    Ok(ExitCode::SUCCESS)
}

/// The beginning of a report. All of it is taken, because a mail server may take it for a failure if a program does not.
fn read(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut report = Vec::new();
    input
        .by_ref()
        .take(READ_BYTES_MAX)
        .read_to_end(&mut report)?;
    io::copy(&mut input, &mut io::sink())?;
    Ok(report)
}

/// Whether a refusal says that there is nothing to record.
fn is_final(code: Option<&str>) -> bool {
    matches!(
        code,
        Some("body_too_large" | "invalid" | "message_not_found" | "message_not_out")
    )
}

/// What a report says.
#[derive(Debug, PartialEq, Eq)]
enum Report {
    /// A mail was refused for good, with this code (RFC 3464).
    Refusal { status: String },
    /// The recipient has complained of a mail (RFC 5965).
    Complaint {
        /// The return path of that mail; none if the report does not say it.
        return_path: Option<String>,
    },
}

impl Report {
    /// What a mail reports; `None` if it is no report, or one of something else.
    fn read(report: &[u8]) -> Option<Self> {
        let mail = mailparse::parse_mail(report).ok()?;
        if let Some(part) = find(&mail, "message/delivery-status", DEPTH_MAX) {
            let status = refusal(part)?;
            return Some(Self::Refusal { status });
        }
        let part = find(&mail, "message/feedback-report", DEPTH_MAX)?;
        complaint(part)
    }
}

/// The complaint that a report of a recipient's feedback is; `None` if it is another one, such as that a mail is no spam.
fn complaint(part: &ParsedMail<'_>) -> Option<Report> {
    let body = part.get_body().ok()?;
    let (fields, _) = mailparse::parse_headers(body.trim_start().as_bytes()).ok()?;
    let kind = fields.get_first_value("Feedback-Type")?;
    if !COMPLAINTS.contains(&&*kind.trim().to_ascii_lowercase()) {
        return None;
    }
    let return_path = fields.get_first_value("Original-Mail-From");
    let bare = |it: String| it.trim().trim_matches(['<', '>']).to_owned();
    let return_path = return_path.map(bare).filter(|it| !it.is_empty());
    Some(Report::Complaint { return_path })
}

/// The code with which a mail was refused for good; none if the report says nothing like that.
fn refusal(part: &ParsedMail<'_>) -> Option<String> {
    let body = part.get_body().ok()?.replace("\r\n", "\n");
    // Each recipient has a group of fields, with an empty line before it (RFC 3464, section 2.1).
    body.split("\n\n").find_map(|group| {
        let (fields, _) = mailparse::parse_headers(group.trim_start().as_bytes()).ok()?;
        let action = fields.get_first_value("Action")?;
        let status = fields.get_first_value("Status")?;
        let status = status.split_whitespace().next()?.to_owned();
        let is_final = action.trim().eq_ignore_ascii_case("failed") && status.starts_with("5.");
        is_final.then_some(status)
    })
}

/// The part of a mail that has this type.
fn find<'a, 'b>(
    mail: &'a ParsedMail<'b>,
    mimetype: &str,
    depth: usize,
) -> Option<&'a ParsedMail<'b>> {
    if mail.ctype.mimetype == mimetype {
        return Some(mail);
    }
    let depth = depth.checked_sub(1)?;
    let mut parts = mail.subparts.iter();
    parts.find_map(|part| find(part, mimetype, depth))
}

#[cfg(test)]
mod tests;
