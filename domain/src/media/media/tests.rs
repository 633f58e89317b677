//! The life of media: within a quota, shown by one thing at a time, and deleted if nothing shows them.

use tidemark_events::identity::user::Role;
use tidemark_events::media::media::EndReason;
use tidemark_events::samples::{BIDDER, MEDIA, SELLER, at, moment, stated};
use tidemark_events::{Event as AnyEvent, MediaAccountId, MediaId};
use uuid::Uuid;

use super::*;
use crate::given::{Given, given, granted, registered, sample};
use crate::media::media_account::Quota;
use crate::{Refusal, Write};

/// What a decision came to.
trait Decided {
    fn accepted(self) -> Vec<Write>;
    fn writes(self, writes: Vec<Write>);
    fn refused(self, code: &str);
}

impl Decided for Result<Vec<Write>, Refusal> {
    #[track_caller]
    fn accepted(self) -> Vec<Write> {
        self.unwrap()
    }

    #[track_caller]
    fn writes(self, writes: Vec<Write>) {
        assert_eq!(self, Ok(writes));
    }

    #[track_caller]
    fn refused(self, code: &str) {
        assert_eq!(self.unwrap_err().code.name, code);
    }
}

/// The sample event of a type, of the account of the seller if it is one of an account.
fn own_sample(event_type: &str) -> AnyEvent {
    use tidemark_events::media::media_account::Event;
    let mut event = sample(event_type);
    if let AnyEvent::MediaAccount(
        Event::Reserved {
            media_account_id: id,
            ..
        }
        | Event::Settled {
            media_account_id: id,
            ..
        }
        | Event::MediaDeleted {
            media_account_id: id,
            ..
        }
        | Event::Released {
            media_account_id: id,
            ..
        },
    ) = &mut event
    {
        *id = MediaAccountId::of(SELLER);
    }
    event
}

/// The writes that append the sample events of these types.
fn own_writes_of<const N: usize>(event_types: [&str; N]) -> Vec<Write> {
    let write = |event_type: &str| {
        let event = own_sample(event_type);
        let is_account = matches!(event, AnyEvent::MediaAccount(_));
        let account = MediaAccountId::of(SELLER).0;
        Write::event(if is_account { account } else { MEDIA.0 }, event)
    };
    event_types.map(write).into()
}

const PERIODS: Periods = Periods {
    upload: TimeDelta::days(1),
    unshown: TimeDelta::days(2),
    removal: TimeDelta::days(10),
};

fn seller<const N: usize>(event_types: [&str; N]) -> Given {
    given([
        registered(SELLER),
        granted(SELLER, Role::Seller),
        registered(BIDDER),
    ])
    .and(event_types.map(own_sample))
    .by(SELLER)
}

fn open(bytes: i64) -> OpenUpload {
    OpenUpload {
        media_id: MEDIA,
        purpose: Purpose::ProductPicture,
        picture_type: Some(PictureType::Jpeg),
        bytes,
        quota: QUOTA,
        periods: PERIODS,
    }
}

fn complete() -> CompleteUpload {
    let AnyEvent::Media(Event::MediaStored { variants, .. }) = sample("media.stored") else {
        panic!("not stored")
    };
    CompleteUpload {
        media_id: MEDIA,
        uploaded_sha256: Some(stated(&"a5".repeat(32))),
        variants,
        quota: QUOTA,
        periods: PERIODS,
    }
}

const QUOTA: Quota = Quota {
    bytes_max: 200_000,
    uploads_max: 2,
    media_max: 9,
    overhead: 0,
};
const OPENED: [&str; 2] = ["media.upload_opened", "media_account.reserved"];
const STORED: [&str; 4] = [
    "media.upload_opened",
    "media_account.reserved",
    "media.stored",
    "media_account.settled",
];
const DELETED: [&str; 6] = [
    "media.upload_opened",
    "media_account.reserved",
    "media.stored",
    "media_account.settled",
    "media.deleted",
    "media_account.media_deleted",
];

#[test]
fn an_upload_takes_its_bytes_from_the_quota_of_its_owner() {
    seller([]).when(open(150_000)).writes(own_writes_of(OPENED));
    seller([])
        .when(open(200_001))
        .refused("media_quota_exceeded");
    // What is stored counts with the bytes that it has.
    let another = |bytes| OpenUpload {
        media_id: MediaId(Uuid::from_u128(99)),
        ..open(bytes)
    };
    seller(OPENED)
        .when(another(60_000))
        .refused("media_quota_exceeded");
    seller(STORED).when(another(80_000)).accepted();
    seller(STORED)
        .when(another(80_001))
        .refused("media_quota_exceeded");
    // What was deleted counts until its bytes are removed.
    let refused = seller(DELETED).when(another(80_001)).unwrap_err();
    assert_eq!(refused.code.name, "media_quota_exceeded");
    assert_eq!(refused.retry_at, Some(at(864_000)));
    assert!(refused.detail.contains("120000 of them were deleted"));
    seller(DELETED)
        .and(["media.removed", "media_account.released"].map(own_sample))
        .when(another(200_000))
        .accepted();
}

/// It was so of all media once, and their events stay in the log.
#[test]
fn media_that_ceased_to_count_when_they_were_deleted_are_not_released_again() {
    let deleted = ["media.deleted", "media_account.released"].map(own_sample);
    let seller = || seller(STORED).and(deleted.clone());
    let all = OpenUpload {
        media_id: MediaId(Uuid::from_u128(99)),
        ..open(200_000)
    };
    seller().when(all).accepted();
    let record = RecordRemoval { media_id: MEDIA };
    let removed = own_writes_of(["media.removed"]);
    seller().by_service().when(record).writes(removed);
}

/// A picture may have more bytes as it is written anew than the file had.
#[test]
fn what_is_stored_has_no_more_bytes_than_its_owner_may_have() {
    let complete = |bytes_max| CompleteUpload {
        quota: Quota { bytes_max, ..QUOTA },
        ..complete()
    };
    seller(OPENED).when(complete(120_000)).accepted();
    seller(OPENED)
        .when(complete(119_999))
        .refused("media_quota_exceeded");
}

#[test]
fn a_user_has_few_uploads_that_are_not_complete() {
    let one = OpenUpload {
        quota: Quota {
            uploads_max: 1,
            ..QUOTA
        },
        media_id: MediaId(Uuid::from_u128(99)),
        ..open(1)
    };
    seller(OPENED).when(one.clone()).refused("too_many_uploads");
    seller(STORED).when(one).accepted();
}

#[test]
fn a_user_has_a_number_of_media_however_small() {
    let one = |media_max| OpenUpload {
        quota: Quota { media_max, ..QUOTA },
        media_id: MediaId(Uuid::from_u128(99)),
        ..open(1)
    };
    for has in [&OPENED[..], &STORED] {
        let seller = || seller([]).and(has.iter().map(|it| own_sample(it)));
        seller().when(one(1)).refused("too_many_media");
        seller().when(one(2)).accepted();
    }
    seller(DELETED).when(one(1)).refused("too_many_media");
    seller(DELETED)
        .and(["media.removed", "media_account.released"].map(own_sample))
        .when(one(1))
        .accepted();
}

/// A file of one byte takes more of a disk.
#[test]
fn an_upload_counts_what_a_disk_takes_for_its_files() {
    let one = |bytes| OpenUpload {
        quota: Quota {
            overhead: 20_000,
            ..QUOTA
        },
        media_id: MediaId(Uuid::from_u128(99)),
        ..open(bytes)
    };
    seller([]).when(one(180_000)).accepted();
    seller([])
        .when(one(180_001))
        .refused("media_quota_exceeded");
    // What is stored has 120,000 bytes.
    seller(STORED).when(one(40_000)).accepted();
    seller(STORED)
        .when(one(40_001))
        .refused("media_quota_exceeded");
    // It counted when the upload was opened, so that what is stored needs room for its bytes alone.
    let quota = Quota {
        bytes_max: 140_000,
        overhead: 20_000,
        ..QUOTA
    };
    seller(OPENED)
        .when(CompleteUpload {
            quota,
            ..complete()
        })
        .accepted();
}

#[test]
fn only_sellers_upload_pictures_of_products_and_only_admins_those_of_categories() {
    seller([]).by(BIDDER).when(open(1)).refused("role_required");
    let of_category = OpenUpload {
        purpose: Purpose::CategoryPicture,
        ..open(1)
    };
    seller([]).when(of_category).refused("role_required");
    let of_user = OpenUpload {
        purpose: Purpose::Avatar,
        ..open(1)
    };
    seller([]).by(BIDDER).when(of_user).accepted();
}

#[test]
fn an_upload_is_completed_once_in_time_and_by_its_owner() {
    let stored = own_writes_of(["media.stored", "media_account.settled"]);
    seller(OPENED).when(complete()).writes(stored);
    seller(OPENED)
        .by(BIDDER)
        .when(complete())
        .refused("media_not_found");
    seller(STORED).when(complete()).refused("upload_over");
    seller(OPENED)
        .at(at(86_400))
        .when(complete())
        .refused("upload_over");
}

#[test]
fn an_upload_goes_on_until_it_is_over_or_its_time_is() {
    let go_on = || ContinueUpload { media_id: MEDIA };
    seller(OPENED).when(go_on()).writes(Vec::new());
    seller(OPENED)
        .by(BIDDER)
        .when(go_on())
        .refused("media_not_found");
    seller([]).when(go_on()).refused("media_not_found");
    seller(STORED).when(go_on()).refused("upload_over");
    seller(OPENED)
        .at(at(86_400))
        .when(go_on())
        .refused("upload_over");
}

#[test]
fn an_upload_that_comes_to_nothing_gives_its_bytes_back() {
    let reason = EndReason::Rejected;
    let end = EndUpload {
        media_id: MEDIA,
        reason,
    };
    let writes = seller(OPENED).when(end.clone()).accepted();
    assert_eq!(released(&writes), Some(150_000));
    seller(STORED).when(end).refused("upload_over");
}

#[test]
fn an_upload_expires_at_its_time() {
    let expire = || ExpireUpload { media_id: MEDIA };
    seller(OPENED)
        .by_service()
        .when(expire())
        .refused("not_due");
    let writes = seller(OPENED)
        .at(at(86_400))
        .by_service()
        .when(expire())
        .accepted();
    assert_eq!(released(&writes), Some(150_000));
    seller(STORED)
        .at(at(86_400))
        .by_service()
        .when(expire())
        .refused("upload_over");
    seller(OPENED).when(expire()).refused("service_required");
}

/// The bytes that count no longer.
fn released(writes: &[Write]) -> Option<i64> {
    use tidemark_events::media::media_account::Event;
    writes.iter().find_map(|write| {
        if let Write::Event(_, AnyEvent::MediaAccount(Event::Released { bytes, .. })) = write {
            Some(*bytes)
        } else {
            None
        }
    })
}

#[test]
fn media_that_nothing_shows_are_deleted_when_they_were_to_be() {
    let delete = |seconds| DeleteUnshown {
        media_id: MEDIA,
        unshown_until: moment(seconds),
        periods: PERIODS,
    };
    let at_time = |given: Given| given.at(at(172_800)).by_service();
    let writes = at_time(seller(STORED)).when(delete(172_800)).accepted();
    assert_eq!(released(&writes), None, "the bytes are still there");
    seller(STORED)
        .by_service()
        .when(delete(172_800))
        .refused("not_due");
    let shown = || seller(STORED).and([sample("media.attached")]);
    at_time(shown()).when(delete(172_800)).refused("media_kept");
    // The timer of before is not that of now.
    let detached = shown().and([sample("media.detached")]);
    at_time(detached)
        .when(delete(172_800))
        .refused("media_kept");
}

#[test]
fn an_owner_deletes_what_nothing_shows() {
    let delete = || Delete {
        media_id: MEDIA,
        periods: PERIODS,
    };
    let deleted = own_writes_of(["media.deleted", "media_account.media_deleted"]);
    seller(STORED).at(at(0)).when(delete()).writes(deleted);
    seller(STORED)
        .by(BIDDER)
        .when(delete())
        .refused("media_not_found");
    seller(OPENED).when(delete()).refused("media_not_stored");
    let shown = seller(STORED).and([sample("media.attached")]);
    shown.when(delete()).refused("media_shown");
}

#[test]
fn an_owner_links_to_what_is_stored() {
    let link = || LinkMedia { media_id: MEDIA };
    seller(STORED).when(link()).writes(Vec::new());
    seller(OPENED).when(link()).refused("media_not_stored");
    seller(STORED)
        .by(BIDDER)
        .when(link())
        .refused("media_not_found");
}

#[test]
fn a_removal_is_recorded_once_and_of_nothing_that_is_kept() {
    let record = || RecordRemoval { media_id: MEDIA };
    let writes = own_writes_of(["media.removed", "media_account.released"]);
    seller(DELETED).by_service().when(record()).writes(writes);
    let removed = seller(DELETED).and([sample("media.removed")]);
    removed.by_service().when(record()).refused("media_removed");
    seller(STORED)
        .by_service()
        .when(record())
        .refused("media_kept");
}

#[test]
fn a_state_has_the_size_of_the_full_picture() {
    let mut media = Media::default();
    for event_type in STORED {
        if let AnyEvent::Media(event) = sample(event_type) {
            media.evolve(&event);
        }
    }
    let Media::Stored(file) = media else {
        panic!("not stored")
    };
    assert_eq!((file.width, file.height, file.bytes), (1_200, 900, 120_000));
    assert_eq!(file.uploaded_bytes, 150_000);
}
