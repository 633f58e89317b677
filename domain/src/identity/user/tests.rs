//! Who may register, and who may grant and revoke roles.

use tidemark_events::Event as AnyEvent;
use tidemark_events::identity::credential;
use tidemark_events::samples::{BIDDER, CREDENTIAL, SELLER};
use tidemark_events::{KeyedHash, Sealed};

use super::*;
use crate::given::{ADMIN, Given, given, granted, registered, sample};
use crate::identity::access;
use crate::{Claim, ClaimScope, Write};

fn sealed() -> Sealed {
    Sealed {
        subject: SELLER,
        key_version: 1,
        nonce: "n".to_owned(),
        ciphertext: "c".to_owned(),
    }
}

fn register() -> Register {
    Register {
        user_id: SELLER,
        credential_id: CREDENTIAL,
        email: sealed(),
        email_hash: KeyedHash("e".to_owned()),
        display_name: sealed(),
        password_hash: sealed(),
    }
}

fn email() -> Claim {
    Claim::new(ClaimScope::Email, "e")
}

fn registration() -> Vec<Write> {
    vec![
        Write::event(
            SELLER.0,
            Event::Registered {
                user_id: SELLER,
                credential_id: CREDENTIAL,
                email: sealed(),
                email_hash: KeyedHash("e".to_owned()),
                display_name: sealed(),
            },
        ),
        Write::event(
            CREDENTIAL.0,
            credential::Event::PasswordSet {
                credential_id: CREDENTIAL,
                user_id: SELLER,
                password_hash: sealed(),
            },
        ),
        Write::Claim(email(), SELLER.0),
    ]
}

fn people() -> Given {
    given([
        registered(ADMIN),
        granted(ADMIN, Role::Admin),
        registered(SELLER),
        registered(BIDDER),
    ])
}

#[test]
fn anybody_registers_with_an_address_that_is_not_taken() {
    assert_eq!(given([]).when(register()), Ok(registration()));
    let taken = given([]).claimed(email(), BIDDER.0);
    assert_eq!(taken.when(register()), Err(Error::EmailTaken.into()));
}

#[test]
fn a_service_creates_one_first_admin() {
    let first_admin = Claim::new(ClaimScope::FirstAdmin, "first_admin");
    let mut writes = registration();
    writes.push(Write::event(
        SELLER.0,
        Event::RoleGranted {
            user_id: SELLER,
            role: Role::Admin,
        },
    ));
    writes.push(Write::Claim(first_admin.clone(), SELLER.0));
    let create = || CreateFirstAdmin(register());
    assert_eq!(given([]).by_service().when(create()), Ok(writes));

    let taken = given([]).claimed(email(), BIDDER.0).by_service();
    assert_eq!(taken.when(create()), Err(Error::EmailTaken.into()));
    let second = given([]).claimed(first_admin, ADMIN.0).by_service();
    assert_eq!(second.when(create()), Err(Error::FirstAdminExists.into()));
    let by_admin = people().by(ADMIN).when(create());
    assert_eq!(by_admin, Err(access::Error::Service.into()));
    assert_eq!(given([]).when(create()), Err(access::Error::Login.into()));
}

#[test]
fn a_new_user_is_a_buyer_and_holds_what_is_granted() {
    let mut user = User::default();
    assert!(!user.has(Role::Buyer));
    for event in [registered(SELLER), granted(SELLER, Role::Seller)] {
        if let AnyEvent::User(event) = event {
            user.evolve(&event);
        }
    }
    assert!(user.has(Role::Buyer) && user.has(Role::Seller) && !user.has(Role::Admin));
}

#[test]
fn admins_grant_roles() {
    let grant = |role| GrantRole {
        user_id: SELLER,
        role,
    };
    assert_eq!(
        people().by(ADMIN).when(grant(Role::Seller)),
        Ok(vec![Write::Event(SELLER.0, granted(SELLER, Role::Seller))])
    );
    let held = people().by(ADMIN).when(grant(Role::Buyer));
    assert_eq!(held, Err(Error::RoleHeld(Role::Buyer).into()));
    let nobody = given([registered(ADMIN), granted(ADMIN, Role::Admin)]).by(ADMIN);
    assert_eq!(
        nobody.when(grant(Role::Seller)),
        Err(Error::NotFound.into())
    );
}

#[test]
fn only_admins_grant_and_revoke_roles() {
    let promote = || GrantRole {
        user_id: SELLER,
        role: Role::Admin,
    };
    let demote = || RevokeRole {
        user_id: ADMIN,
        role: Role::Admin,
    };
    let role = || Err(access::Error::Role(Role::Admin).into());
    let login = || Err(access::Error::Login.into());
    assert_eq!(people().by(SELLER).when(promote()), role());
    assert_eq!(people().by(SELLER).when(demote()), role());
    assert_eq!(people().when(promote()), login());
    assert_eq!(people().by_service().when(demote()), login());
}

#[test]
fn admins_revoke_roles() {
    let revoke = |user_id, role| RevokeRole { user_id, role };
    assert_eq!(
        people().by(ADMIN).when(revoke(SELLER, Role::Buyer)),
        Ok(vec![Write::event(
            SELLER.0,
            Event::RoleRevoked {
                user_id: SELLER,
                role: Role::Buyer
            }
        )])
    );
    let not_held = people().by(ADMIN).when(revoke(SELLER, Role::Seller));
    assert_eq!(not_held, Err(Error::RoleNotHeld(Role::Seller).into()));
    let nobody = given([registered(ADMIN), granted(ADMIN, Role::Admin)]).by(ADMIN);
    assert_eq!(
        nobody.when(revoke(SELLER, Role::Seller)),
        Err(Error::NotFound.into())
    );
}

#[test]
fn the_last_admin_cannot_be_revoked() {
    let revoke = |user_id| RevokeRole {
        user_id,
        role: Role::Admin,
    };
    let own = people().by(ADMIN).when(revoke(ADMIN));
    assert_eq!(own, Err(Error::OwnAdminRole.into()));

    let mut two = people().and([granted(SELLER, Role::Admin)]).by(ADMIN);
    assert!(two.execute(revoke(SELLER)).is_ok());
    let in_turn = two.by(SELLER).when(revoke(ADMIN));
    assert_eq!(in_turn, Err(access::Error::Role(Role::Admin).into()));
}

#[test]
fn a_revoked_role_is_gone_at_once() {
    let seller = [
        sample("user.registered"),
        sample("user.role_granted"),
        sample("user.role_revoked"),
    ];
    let list = crate::market::product::List {
        product_id: tidemark_events::samples::PRODUCT,
    };
    assert_eq!(
        given(seller).by(SELLER).when(list),
        Err(access::Error::Role(Role::Seller).into())
    );
}

#[test]
fn an_actor_who_never_registered_holds_no_role() {
    let ghost = given([]).by(SELLER).when(GrantRole {
        user_id: SELLER,
        role: Role::Admin,
    });
    assert_eq!(ghost, Err(access::Error::Role(Role::Admin).into()));
}
