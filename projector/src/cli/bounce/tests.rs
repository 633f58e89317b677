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

fn refused(status: &str) -> Report {
    Report::Refusal {
        status: status.to_owned(),
    }
}

/// The example of RFC 5965 (appendix B.2), with this type and this return path of the mail.
fn feedback(kind: &str, return_path: &str) -> String {
    format!(
        "From: <abusedesk@example.com>\r\n\
         Subject: FW: Earn money\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report;\r\n\tboundary=\"b\"\r\n\r\n--b\r\n\
         Content-Type: text/plain; charset=\"US-ASCII\"\r\n\r\n\
         This is an email abuse report.\r\n\r\n--b\r\n\
         Content-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: {kind}\r\n\
         User-Agent: SomeGenerator/1.0\r\n\
         Version: 1\r\n\
         {return_path}\
         Original-Rcpt-To: <user@example.com>\r\n\
         Arrival-Date: Thu, 8 Mar 2005 14:00:00 EDT\r\n\r\n--b\r\n\
         Content-Type: message/rfc822\r\n\r\n\
         From: <somespammer@example.net>\r\nSubject: Earn money\r\n\r\nFeedback-Type: abuse\r\n\r\n--b--\r\n"
    )
}

#[test]
fn a_complaint_is_one_of_the_mail_that_it_names() {
    let named = "Original-Mail-From: <bounces+1@tidemark.example>\r\n";
    let complaint = |return_path: Option<&str>| {
        let return_path = return_path.map(ToOwned::to_owned);
        Some(Report::Complaint { return_path })
    };
    let of_named = complaint(Some("bounces+1@tidemark.example"));
    for (kind, return_path, expected) in [
        ("abuse", named, &of_named),
        ("Fraud", named, &of_named),
        ("abuse", "", &complaint(None)),
        ("abuse", "Original-Mail-From: <>\r\n", &complaint(None)),
        ("not-spam", named, &None),
        ("virus", named, &None),
        ("auth-failure", named, &None),
    ] {
        let found = Report::read(feedback(kind, return_path).as_bytes());
        assert_eq!(&found, expected, "{kind} {return_path}");
    }
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
        let found = Report::read(report(action, status).as_bytes());
        assert_eq!(found, expected.map(refused), "{action} {status}");
    }
}

#[test]
fn a_report_is_taken_to_its_end_and_looked_at_to_its_bound() {
    let long = report("failed", "5.1.1") + &"a".repeat(1_000_000);
    let mut input = long.as_bytes();
    let read = read(&mut input).unwrap();
    assert!(input.is_empty());
    assert_eq!(read.len(), 256 * 1_024);
    assert_eq!(Report::read(&read), Some(refused("5.1.1")));
}

#[test]
fn what_is_no_report_is_dropped() {
    let whole = report("failed", "5.1.1");
    for end in 0..whole.len() {
        // Nothing that is cut off makes it fail.
        let _ = Report::read(&whole.as_bytes()[..end]);
    }
    let nested = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(6_000);
    for other in [
        "",
        "\r\n\r\n",
        "Subject: hello\r\n\r\nI am away.",
        &nested,
        "\u{0}\u{ff}",
    ] {
        assert_eq!(Report::read(other.as_bytes()), None);
    }
}
