//! Shards: the parts into which the rows of a generation are divided, and which of them a row is in.

use uuid::{Builder, Uuid};

/// One of the shards into which the rows of a generation are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the shard, from 0 on.
    pub number: i32,
    /// How many shards there are.
    pub count: i32,
}

impl Shard {
    /// The shard of a generation that is not divided.
    pub const ONLY: Self = Self {
        number: 0,
        count: 1,
    };

    /// The shard of a row: the last four bytes of its id, as a big-endian unsigned number, modulo the number
    /// of shards. The last bytes of a UUIDv7 are random, so the shards have about the same size.
    ///
    /// The function `shard_of` of the database computes the same. Neither may ever change, because rows were
    /// stored by it.
    #[must_use]
    pub fn of(id: Uuid, count: i32) -> Self {
        let [.., a, b, c, d] = *id.as_bytes();
        let number = i64::from(u32::from_be_bytes([a, b, c, d])) % i64::from(count.max(1));
        Self {
            // The number is below `count`, so it fits.
            number: i32::try_from(number).unwrap_or(0),
            count,
        }
    }

    /// All shards of a generation that is divided into so many.
    pub fn all(count: i32) -> impl Iterator<Item = Self> {
        (0..count).map(move |number| Self { number, count })
    }

    /// The id under which a stream waits in this shard with an event that does not say which rows it is about. The rows may be
    /// in any shard, so the stream waits in each: under the first bytes of its own id, the version 8, which no row's id
    /// has, and the number of the shard.
    #[must_use]
    pub fn id_of_stream(self, stream_id: Uuid) -> Uuid {
        let mut bytes = *stream_id.as_bytes();
        bytes[12..].copy_from_slice(&self.number.to_be_bytes());
        Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// Whether a stream waits under this id, and not a row.
    #[must_use]
    pub fn is_of_stream(id: Uuid) -> bool {
        id.get_version_num() == 8
    }

    /// What waits here under an id, as it is known to operators: a row is the same in every shard, and a stream waits in
    /// each.
    #[must_use]
    pub fn id_here(self, id: Uuid) -> Uuid {
        if Self::is_of_stream(id) {
            self.id_of_stream(id)
        } else {
            id
        }
    }

    /// Whether a row belongs to this shard.
    #[must_use]
    pub fn holds(self, id: Uuid) -> bool {
        Self::of(id, self.count) == self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_a_row_is_pinned() {
        let id = |text: &str| text.parse::<Uuid>().unwrap();
        for (row, of_3, of_255) in [
            ("0198a000-0000-7000-8000-000000000000", 0, 0),
            ("0198a000-0000-7000-8000-000000000005", 2, 5),
            ("0198a000-0000-7000-8000-1234567890ab", 2, 11),
            ("ffffffff-ffff-ffff-ffff-fffffffffffe", 2, 254),
        ] {
            let row = id(row);
            assert_eq!(Shard::of(row, 3).number, of_3, "{row}");
            assert_eq!(Shard::of(row, 255).number, of_255, "{row}");
            assert_eq!(Shard::of(row, 1), Shard::ONLY);
            assert_eq!(Shard::all(3).filter(|shard| shard.holds(row)).count(), 1);
        }
    }

    #[test]
    fn a_stream_waits_in_each_shard_under_an_id_that_is_pinned() {
        let stream: Uuid = "0198a000-0000-7000-8000-1234567890ab".parse().unwrap();
        let ids = Shard::all(255).map(|shard| (shard, shard.id_of_stream(stream)));
        let ids: Vec<_> = ids.collect();
        assert_eq!(
            ids[254].1.to_string(),
            "0198a000-0000-8000-8000-1234000000fe"
        );
        for (shard, id) in &ids {
            assert!(shard.holds(*id) && Shard::is_of_stream(*id), "{id}");
            assert_eq!(shard.id_here(ids[7].1), *id);
            assert_eq!(shard.id_here(stream), stream);
        }
    }
}
