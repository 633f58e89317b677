//! Who may join, and who may make whom what.

use tidemark_events::Event as AnyEvent;
use tidemark_events::samples::{BIDDER, CREDENTIAL, SELLER};

use super::*;
use crate::given::{ADMIN, Given, given, granted, joined, sample};

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
        joined(ADMIN),
        granted(ADMIN, Role::Admin),
        joined(SELLER),
        joined(BIDDER),
    ])
}

#[test]
fn anybody_joins_with_an_address_of_their_own() {
    assert_eq!(given([]).when(register()), Ok(registration()));
    let taken = given([]).claimed(email(), BIDDER.0);
    assert_eq!(taken.when(register()), Err(Error::EmailTaken.into()));
}

#[test]
fn a_service_makes_one_first_admin() {
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
fn who_joins_is_a_buyer_and_holds_what_is_granted() {
    let mut user = User::default();
    assert!(!user.has(Role::Buyer));
    for fact in [joined(SELLER), granted(SELLER, Role::Seller)] {
        if let AnyEvent::User(event) = fact {
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
    let nobody = given([joined(ADMIN), granted(ADMIN, Role::Admin)]).by(ADMIN);
    assert_eq!(
        nobody.when(grant(Role::Seller)),
        Err(Error::NotFound.into())
    );
}

/// Row 70: promoting oneself.
#[test]
fn nobody_else_grants_or_revokes_roles() {
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
    let nobody = given([joined(ADMIN), granted(ADMIN, Role::Admin)]).by(ADMIN);
    assert_eq!(
        nobody.when(revoke(SELLER, Role::Seller)),
        Err(Error::NotFound.into())
    );
}

/// Row 70: the last admin.
#[test]
fn an_admin_cannot_lock_everybody_out() {
    let revoke = |user_id| RevokeRole {
        user_id,
        role: Role::Admin,
    };
    let own = people().by(ADMIN).when(revoke(ADMIN));
    assert_eq!(own, Err(Error::OwnAdminRole.into()));

    let mut two = people().and([granted(SELLER, Role::Admin)]).by(ADMIN);
    assert!(two.play(revoke(SELLER)).is_ok());
    let in_turn = two.by(SELLER).when(revoke(ADMIN));
    assert_eq!(in_turn, Err(access::Error::Role(Role::Admin).into()));
}

#[test]
fn a_role_that_was_taken_is_gone_at_once() {
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
fn actors_without_a_user_hold_no_role() {
    let ghost = given([]).by(SELLER).when(GrantRole {
        user_id: SELLER,
        role: Role::Admin,
    });
    assert_eq!(ghost, Err(access::Error::Role(Role::Admin).into()));
}
