//! As whom services act, and what they say of causes.

use super::*;

const REACTORS: &[ProcessManager] = &[
    ProcessManager {
        name: "auction-timer",
        event_types: &[],
        commands: &["open_auction"],
        fulfilled: &[],
        final_refusals: &[],
        react: |_| Vec::new(),
    },
    ProcessManager {
        name: "auction-auditor",
        event_types: &[],
        commands: &["audit_auction"],
        fulfilled: &[],
        final_refusals: &[],
        react: |_| Vec::new(),
    },
];

/// The name and commands with which a service that names a reactor acts; `None` if it is refused.
fn acts_as(
    service: &str,
    acts_as_reactors: bool,
    reactor: Option<&'static str>,
) -> Option<(String, Vec<String>)> {
    let service = Service {
        name: service.to_owned(),
        commands: vec!["own".to_owned()],
        acts_as_reactors,
    };
    let headers = reactor.map(|name| (REACTOR, name.parse().unwrap()));
    let acting = acting_service(service, &headers.into_iter().collect(), REACTORS);
    acting.ok().map(|service| (service.name, service.commands))
}

fn service(name: &str, command: &str) -> (String, Vec<String>) {
    (name.to_owned(), vec![command.to_owned()])
}

#[test]
fn each_reactor_acts_under_its_own_name_with_its_own_commands() {
    assert_eq!(
        acts_as("projector", true, Some("auction-timer")),
        Some(service("auction-timer", "open_auction"))
    );
    assert_eq!(
        acts_as("projector", true, Some("auction-auditor")),
        Some(service("auction-auditor", "audit_auction"))
    );
    assert_eq!(
        acts_as("projector", true, None),
        Some(service("projector", "own"))
    );
    assert_eq!(acts_as("projector", true, Some("nobody")), None);
}

#[test]
fn a_service_without_the_grant_acts_as_itself_only() {
    assert_eq!(acts_as("query-api", false, Some("auction-timer")), None);
    assert_eq!(
        acts_as("auction-timer", false, Some("auction-timer")),
        Some(service("auction-timer", "own"))
    );
    assert_eq!(
        acts_as("auction-timer", false, Some("auction-auditor")),
        None
    );
}

#[test]
fn a_cause_is_the_id_of_an_event_in_its_one_form() {
    let read = |text: &str| {
        let headers = [(CAUSATION_ID, HeaderValue::from_str(text).unwrap())];
        causation_id(&headers.into_iter().collect())
    };
    let id = Uuid::from_u128(0x0199_b3a4_5c7e_7d11_8f0e_2b6c_9d1e_4a77);
    assert_eq!(causation_id(&HeaderMap::new()).unwrap(), None);
    for text in [id.to_string(), id.to_string().to_uppercase()] {
        assert_eq!(read(&text).unwrap(), Some(id));
    }
    for text in [
        "",
        "7",
        "no",
        &id.simple().to_string(),
        &id.braced().to_string(),
    ] {
        assert_eq!(
            read(text).unwrap_err().code(),
            "invalid_causation_id",
            "{text}"
        );
    }
}
