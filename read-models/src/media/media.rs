//! Stored media, as their owner sees them, and as their bytes are found. Uploads that are not complete have no row, and what
//! was deleted has none any more.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::media::media::{Event, Purpose, ShownBy, StoredVariant, Variant};
use tidemark_events::{MediaId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf, schema};

/// Stored media.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Media)]
pub struct Row {
    /// The id of the media.
    #[schema(value_type = Uuid)]
    pub id: MediaId,
    /// The user whose file it is.
    #[schema(value_type = Uuid)]
    pub owner_id: UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// The sizes in which it is kept, the full one first.
    #[schema(value_type = Vec<schema::StoredVariant>)]
    pub variants: Vec<StoredVariant>,
    /// What shows it; none if nothing does.
    #[schema(value_type = Option<schema::ShownBy>)]
    pub shown_by: Option<ShownBy>,
    /// When it is deleted if nothing shows it by then; none while something does.
    pub unshown_until: Option<DateTime<Utc>>,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// The version of the media: the number of their changes.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

impl Row {
    /// The picture in this size.
    #[must_use]
    pub fn variant(&self, variant: Variant) -> Option<&StoredVariant> {
        self.variants.iter().find(|it| it.variant == variant)
    }
}

/// The read model whose rows are media, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Media;

impl ReadModel for Media {
    const NAME: &'static str = "media";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "media.stored",
        "media.attached",
        "media.detached",
        "media.deleted",
    ]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![Column::uuid("owner_id", row.owner_id.0)]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let id = input.event_of().and_then(id);
        id.map(|id| id.0).into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let Some(event) = input.event_of() else {
            return row;
        };
        let mut row = row.or_else(|| stored(event, input.recorded.recorded_at))?;
        match event {
            Event::Attached { shown_by, .. } => {
                row.shown_by = Some(*shown_by);
                row.unshown_until = None;
            }
            Event::Detached { unshown_until, .. } => {
                row.shown_by = None;
                row.unshown_until = Some(**unshown_until);
            }
            Event::Deleted { .. } => return None,
            Event::UploadOpened { .. }
            | Event::UploadEnded { .. }
            | Event::MediaStored { .. }
            | Event::Removed { .. } => {}
        }
        row.version = input.recorded.version;
        Some(row)
    }
}

/// The media that an event changes here; none if they have no row before or after it.
const fn id(event: &Event) -> Option<MediaId> {
    match event {
        Event::MediaStored { media_id, .. }
        | Event::Attached { media_id, .. }
        | Event::Detached { media_id, .. }
        | Event::Deleted { media_id, .. } => Some(*media_id),
        Event::UploadOpened { .. } | Event::UploadEnded { .. } | Event::Removed { .. } => None,
    }
}

/// The first row of media. `None` if they were not stored.
fn stored(event: &Event, at: DateTime<Utc>) -> Option<Row> {
    let Event::MediaStored {
        media_id,
        owner_id,
        purpose,
        variants,
        unshown_until,
        ..
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *media_id,
        owner_id: *owner_id,
        purpose: *purpose,
        variants: variants.clone(),
        shown_by: None,
        unshown_until: Some(**unshown_until),
        stored_at: at,
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event as AnyEvent;
    use tidemark_events::samples;
    use tidemark_events::samples::{MEDIA, PRODUCT, at};

    use super::*;
    use crate::testing::given;

    /// The row after the samples of these types.
    fn row(types: &[&str]) -> Option<Row> {
        let of_types = |event: &AnyEvent| {
            let encoded = event.encode().unwrap();
            types.contains(&&*encoded.event_type)
        };
        let events = samples::all().into_iter().filter(of_types);
        given::<Media>(events).remove(&MEDIA.0)
    }

    #[test]
    fn media_tell_what_shows_them_or_until_when_they_are_kept() {
        let stored = row(&["media.stored"]).unwrap();
        assert_eq!(stored.unshown_until, Some(at(172_800)));
        let shown = row(&["media.stored", "media.attached"]).unwrap();
        let product = ShownBy::Product { id: PRODUCT.0 };
        assert_eq!((shown.shown_by, shown.unshown_until), (Some(product), None));
        let detached = row(&["media.stored", "media.attached", "media.detached"]).unwrap();
        assert_eq!(detached.shown_by, None);
        assert_eq!(detached.unshown_until, Some(at(259_200)));
    }

    #[test]
    fn media_that_are_not_stored_or_deleted_have_no_row() {
        assert_eq!(row(&["media.upload_opened", "media.upload_ended"]), None);
        assert_eq!(row(&["media.stored", "media.deleted"]), None);
    }
}
