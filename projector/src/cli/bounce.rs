//! Puts on record that a mail could not be delivered, as the report of a mail server says that came back. A report is never answered,
//! and what is none is dropped: there is nobody to tell.

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
/// By this exit code a mail server keeps the report and gives it again (`EX_TEMPFAIL` of `sysexits.h`). By another one it would
/// answer the report by a mail.
pub(super) const EXIT_LATER: u8 = 75;

/// Reads a report from the standard input that came to this address.
///
/// # Errors
/// If the report cannot be read, or is neither recorded nor refused for ever. Then it is to be given again.
pub(super) async fn bounce(config: &Config, address: &str) -> Result<ExitCode, Error> {
    let report = read(io::stdin().lock()).map_err(Error::Report)?;
    let Some(status) = refusal(&report) else {
        print("No report of a mail that was refused for good: nothing was recorded.");
        return Ok(ExitCode::SUCCESS);
    };
    let body = json!({"return_path": address, "status": status});
    let command_api = CommandApi::new(config)?;
    match command_api.post("/v1/bounces", None, &body).await? {
        Ok(_) => print(&format!("Recorded: {status}")),
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
        Some("invalid" | "message_not_found" | "message_not_out")
    )
}

/// The code with which a mail was refused for good; none if the report says nothing like that.
fn refusal(report: &[u8]) -> Option<String> {
    let mail = mailparse::parse_mail(report).ok()?;
    let of_delivery = find(&mail, DEPTH_MAX)?;
    let body = of_delivery.get_body().ok()?.replace("\r\n", "\n");
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

/// The part of a mail that says what became of another.
fn find<'a, 'b>(mail: &'a ParsedMail<'b>, depth: usize) -> Option<&'a ParsedMail<'b>> {
    if mail.ctype.mimetype == "message/delivery-status" {
        return Some(mail);
    }
    let depth = depth.checked_sub(1)?;
    mail.subparts.iter().find_map(|part| find(part, depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report as postfix writes it, with this action and this code.
    fn report(action: &str, status: &str) -> String {
        format!(
            "From: Mail Delivery System <MAILER-DAEMON@mail.example>\r\n\
             To: bounces+1@tidemark.example\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"b\"\r\n\r\n\
             This is a MIME-encapsulated message.\r\n\r\n--b\r\n\
             Content-Type: text/plain\r\n\r\nI'm sorry. Action: failed\r\nStatus: 5.0.0\r\n\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mail.example\r\n\r\n\
             Final-Recipient: rfc822; gone@tidemark.example\r\n\
             Action: {action}\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; 550 no such recipient\r\n\r\n--b--\r\n"
        )
    }

    #[test]
    fn only_a_refusal_for_good_is_recorded() {
        for (action, status, expected) in [
            ("failed", "5.1.1", Some("5.1.1")),
            ("Failed", "5.2.2 (full)", Some("5.2.2")),
            ("delayed", "4.4.1", None),
            ("failed", "4.4.7", None),
            ("delivered", "2.0.0", None),
        ] {
            let found = refusal(report(action, status).as_bytes());
            assert_eq!(found.as_deref(), expected, "{action} {status}");
        }
    }

    #[test]
    fn a_report_is_taken_to_its_end_and_looked_at_to_its_bound() {
        let long = report("failed", "5.1.1") + &"a".repeat(1_000_000);
        let mut input = long.as_bytes();
        let read = read(&mut input).unwrap();
        assert!(input.is_empty());
        assert_eq!(read.len(), 256 * 1_024);
        assert_eq!(refusal(&read).as_deref(), Some("5.1.1"));
    }

    #[test]
    fn what_is_no_report_is_dropped() {
        let whole = report("failed", "5.1.1");
        for end in 0..whole.len() {
            // Nothing that is cut off makes it fail.
            let _ = refusal(&whole.as_bytes()[..end]);
        }
        let nested = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(6_000);
        for other in [
            "",
            "\r\n\r\n",
            "Subject: hello\r\n\r\nI am away.",
            &nested,
            "\u{0}\u{ff}",
        ] {
            assert_eq!(refusal(other.as_bytes()), None);
        }
    }
}
