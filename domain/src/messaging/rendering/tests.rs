//! What templates may do, and what they come to.

use tidemark_events::samples::stated;

use super::checked::samples;
use super::*;

fn check(category: MessageCategory, subject: &str, body: &str) -> Result<Checked, Faulty> {
    let checked = Checked::of_mail(category, Some(stated(subject)), stated(body));
    checked.map_err(|faulty| faulty[0].clone())
}

const NOT_ONE_LINE: Faulty = Faulty {
    part: Part::Subject,
    fault: Fault::NotOneLine,
};

fn fault(body: &str) -> Fault {
    let Faulty { part, fault } = check(MessageCategory::Outbid, "Outbid", body).unwrap_err();
    assert_eq!(part, Part::Body, "{body}");
    fault
}

#[test]
fn words_name_the_variables_of_their_category() {
    let body = "Hello {{ name }},\n{# a note #}{% if amount -%} {{amount}} {%- else %}nothing{% endif %} for {{ title }}";
    let checked = check(MessageCategory::Outbid, "Outbid: {{ title }}", body).unwrap();
    let expected = [Variable::Name, Variable::Title, Variable::Amount];
    assert_eq!(*checked.variables(), BTreeSet::from(expected));
    let [all, without, _] = samples(MessageCategory::Outbid);
    assert_eq!(
        render(body, &all).unwrap(),
        "Hello Ada Lovelace,\n120.00 EUR for Field camera, 4x5"
    );
    assert_eq!(
        render(body, &without).unwrap(),
        "Hello Ada Lovelace,\nnothing for Field camera, 4x5"
    );
}

#[test]
fn a_variable_that_messages_do_not_have_is_named() {
    let long = fault(&format!("{{{{ {}name }}}}", "(".repeat(18_000)));
    let expected = format!("{}…", "(".repeat(60));
    assert_eq!(long, Fault::NotUnderstood(expected));
    assert_eq!(fault("{{ nmae }}"), Fault::Unknown("nmae".to_owned()));
    let faulty = check(MessageCategory::Welcome, "{{ title }}", "a").unwrap_err();
    let expected = Faulty {
        part: Part::Subject,
        fault: Fault::Unknown("title".to_owned()),
    };
    assert_eq!(faulty, expected);
}

#[test]
fn what_there_may_not_be_is_asked_for_before_it_is_shown() {
    assert!(matches!(fault("{{ amount }}"), Fault::Failed(_)));
    assert!(
        check(
            MessageCategory::Sold,
            "Sold",
            "Sold{% if amount %} for {{ amount }}{% endif %}"
        )
        .is_ok()
    );
}

#[test]
fn templates_do_nothing_else() {
    for body in [
        "{{ 'a' * 1000000 }}",
        "{{ name * name }}",
        "{{ name ~ name }}",
        "{{ name.upper() }}",
        "{{ name|upper }}",
        "{{ name[0] }}",
        "{{ 1 }}",
        "{% set title = name %}",
    ] {
        assert!(matches!(fault(body), Fault::NotUnderstood(_)), "{body}");
    }
    for body in [
        "{% for name in name %}{% endfor %}",
        "{% include name %}",
        "{% raw %}{{ x }}{% endraw %}",
        "{% macro name %}",
    ] {
        assert!(matches!(fault(body), Fault::Unknown(_)), "{body}");
    }
    for body in [
        "{{ name",
        "{% if name %}",
        "{% endif %}",
        "{# a",
        "{{ if }}",
        "{{ }}",
    ] {
        assert!(matches!(fault(body), Fault::Failed(_)), "{body}");
    }
}

#[test]
fn a_subject_is_one_line() {
    let not_one_line = |subject: &str| {
        let checked = check(MessageCategory::Won, subject, "a");
        checked.err() == Some(NOT_ONE_LINE)
    };
    // What is shown if there is no amount has nothing to see.
    assert!(not_one_line("{% if amount %}{{ amount }}{% endif %}"));
    assert!(!not_one_line("{{ title }}"));
    assert!(!is_one_line("a\r\nBcc: b"));
    assert!(!is_one_line(" "));
}

#[test]
fn what_becomes_too_large_is_no_message() {
    let large = "a".repeat(OUTPUT_BYTES_MAX);
    let values = Values::from([(Variable::Name, large)]);
    assert!(render("{{ name }}", &values).is_ok());
    assert!(matches!(
        render("{{ name }}!", &values),
        Err(Fault::Failed(_))
    ));
}

#[test]
fn what_would_take_much_stack_is_refused() {
    for body in [
        format!("{{{{ {} name }}}}", "not ".repeat(4_000)),
        format!("{{{{ name {} }}}}", "and name ".repeat(2_000)),
        format!(
            "{{% if name %}}{}{{% endif %}}",
            "{% elif name %}".repeat(1_000)
        ),
        "{% if name %}".repeat(1_000),
    ] {
        assert!(matches!(fault(&body), Fault::Failed(_)));
    }
    // As much as there may be is read.
    let places = format!(
        "{{% if name %}}a{}{{% endif %}}",
        "{% elif name %}a".repeat(PLACES_MAX - 2)
    );
    assert!(check(MessageCategory::Outbid, "Outbid", &places).is_ok());
}

#[test]
fn words_fit_the_longest_values() {
    assert!(matches!(
        fault(&"{{title}}".repeat(PLACES_MAX + 1)),
        Fault::Failed(_)
    ));
    let subject = "{{ title }} {{ title }}";
    let faulty = check(MessageCategory::Outbid, subject, "a").unwrap_err();
    assert_eq!(faulty, NOT_ONE_LINE);
}

/// The fault of the words of a text.
fn fault_of_text(category: MessageCategory, body: &str) -> Option<Fault> {
    let checked = Checked::of_text(category, None, stated(body), 1);
    checked.err().map(|faulty| faulty[0].fault.clone())
}

#[test]
fn texts_have_no_subject_do_not_name_the_recipient_and_are_short() {
    let outbid = |body: &str| fault_of_text(MessageCategory::Outbid, body);
    let amount = "{% if amount %} is at {{ amount }}{% endif %}";
    assert_eq!(outbid(&format!("{{{{ title }}}}{amount}")), None);
    let name = "name".to_owned();
    assert_eq!(outbid("Hello {{ name }}"), Some(Fault::Unknown(name)));
    let long = |length| format!("{}{{{{ title }}}}", "a".repeat(length));
    assert_eq!(outbid(&long(157)), None, "the title is shortened");
    assert_eq!(outbid(&long(158)), Some(Fault::TooLong(1)));
    assert!(matches!(outbid("{{ amount }}"), Some(Fault::Failed(_))));
    let only_with_an_amount = "{% if amount %}x{% endif %}";
    assert!(matches!(
        outbid(only_with_an_amount),
        Some(Fault::Failed(_))
    ));
    let welcome = fault_of_text(MessageCategory::Welcome, "Welcome");
    assert_eq!(welcome, Some(Fault::NotTexted));
    let category = MessageCategory::Outbid;
    let with_subject = Checked::of_text(category, Some(&stated("a")), stated("a"), 1);
    assert_eq!(with_subject.unwrap_err()[0].fault, Fault::NoMail);
    let without = Checked::of_mail(category, None, stated("a"));
    assert_eq!(without.unwrap_err()[0].fault, Fault::NoSubject);
}

#[test]
fn all_that_is_wrong_with_words_is_told_at_once() {
    let parts = |checked: Result<Checked, Vec<Faulty>>| {
        let faulty = checked.unwrap_err().into_iter();
        faulty.map(|it| it.part).collect::<Vec<_>>()
    };
    let both = Checked::of_mail(
        MessageCategory::Outbid,
        Some(stated("{{ nmae }}")),
        stated("{{ nmae }}"),
    );
    assert_eq!(parts(both), [Part::Subject, Part::Body]);
    let text = |category, body| Checked::of_text(category, Some(&stated("a")), stated(body), 1);
    let outbid = text(MessageCategory::Outbid, "{{ name }}");
    assert_eq!(parts(outbid), [Part::Subject, Part::Body]);
    let welcome = text(MessageCategory::Welcome, "a");
    assert_eq!(parts(welcome), [Part::Subject, Part::Category]);
}

#[test]
fn nobody_is_sent_a_message_with_nothing_to_see() {
    let only_with_an_amount = "{% if amount %}x{% endif %}";
    assert!(matches!(fault(only_with_an_amount), Fault::Failed(_)));
}
