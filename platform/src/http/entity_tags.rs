//! The entity tags that a client sends in `If-Match` and `If-None-Match` (RFC 9110, section 8.8.3).

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// What marks a tag as weak: it may be that of several representations of the same thing.
const WEAK: &[u8] = b"W/";

/// The tags of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntityTags {
    /// `*`, which stands for every tag.
    Any,
    /// At least one tag.
    Listed(Vec<EntityTag>),
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag {
    pub(super) is_weak: bool,
    /// What stands between the quotes.
    pub(super) opaque: Vec<u8>,
}

impl EntityTags {
    /// The tags in all lines of a header. `None` if they are malformed, or if there are none.
    pub(crate) fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let text = lines.collect::<Vec<_>>().join(&b","[..]);
        if text.trim_ascii() == b"*" {
            return Some(Self::Any);
        }
        let tags = parse(&text)?;
        (!tags.is_empty()).then_some(Self::Listed(tags))
    }

    /// Whether this tag is among them, however weak it is on either side.
    pub(crate) fn include(&self, tag: &HeaderValue) -> bool {
        self.any(tag, |listed, wanted| listed.opaque == wanted.opaque)
    }

    /// Whether this tag is among them, and weak on neither side.
    pub(crate) fn include_strong(&self, tag: &HeaderValue) -> bool {
        self.any(tag, |listed, wanted| listed == wanted && !wanted.is_weak)
    }

    fn any(&self, tag: &HeaderValue, are_equal: impl Fn(&EntityTag, &EntityTag) -> bool) -> bool {
        let Self::Listed(tags) = self else {
            return true;
        };
        let wanted = parse(tag.as_bytes()).and_then(|found| found.into_iter().next());
        wanted.is_some_and(|wanted| tags.iter().any(|listed| are_equal(listed, &wanted)))
    }
}

/// The same tag as a weak one.
pub(crate) fn weakened(tag: &HeaderValue) -> HeaderValue {
    if tag.as_bytes().starts_with(WEAK) {
        return tag.clone();
    }
    HeaderValue::from_bytes(&[WEAK, tag.as_bytes()].concat()).unwrap_or_else(|_| tag.clone())
}

fn parse(mut rest: &[u8]) -> Option<Vec<EntityTag>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        while let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() {
            return Some(tags);
        }
        let quoted = rest.strip_prefix(WEAK);
        let is_weak = quoted.is_some();
        let quoted = quoted.unwrap_or(rest).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|&byte| byte == b'"')?;
        let (opaque, after) = quoted.split_at(end);
        if !opaque.iter().all(|&byte| byte > b' ' && byte != 0x7f) {
            return None;
        }
        let opaque = opaque.to_vec();
        tags.push(EntityTag { is_weak, opaque });
        rest = after[1..].trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::IF_MATCH;

    use super::*;

    fn tags(lines: &[&'static str]) -> Option<EntityTags> {
        let line = |line: &&'static str| (IF_MATCH, HeaderValue::from_static(line));
        EntityTags::of(&lines.iter().map(line).collect(), &IF_MATCH)
    }

    fn listed(tags: &[(bool, &str)]) -> EntityTags {
        let tag = |&(is_weak, opaque): &(bool, &str)| EntityTag {
            is_weak,
            opaque: opaque.as_bytes().to_vec(),
        };
        EntityTags::Listed(tags.iter().map(tag).collect())
    }

    #[test]
    fn the_lines_of_a_header_are_one_list() {
        assert_eq!(tags(&["\"7\""]), Some(listed(&[(false, "7")])));
        let both = Some(listed(&[(false, "7"), (true, "a,b")]));
        assert_eq!(tags(&["\"7\", W/\"a,b\""]), both);
        assert_eq!(tags(&[", \"7\" ,", "W/\"a,b\",,"]), both);
        assert_eq!(tags(&[" * "]), Some(EntityTags::Any));
    }

    #[test]
    fn malformed_lists_are_no_tags() {
        for line in [
            "",
            ",",
            "7",
            "\"7",
            "7\"",
            "w/\"7\"",
            "W/7",
            "\"7\" \"8\"",
            "\"7\"x",
            "*, \"7\"",
            "\"a b\"",
        ] {
            assert_eq!(tags(&[line]), None, "{line}");
        }
        assert_eq!(tags(&["*", "\"7\""]), None);
    }

    #[test]
    fn a_tag_is_found_however_weak_it_is() {
        let known = tags(&["\"7\", W/\"8\""]).unwrap();
        for (tag, is_included) in [
            ("\"7\"", true),
            ("W/\"7\"", true),
            ("\"8\"", true),
            ("\"9\"", false),
        ] {
            assert_eq!(
                known.include(&HeaderValue::from_static(tag)),
                is_included,
                "{tag}"
            );
        }
        assert!(EntityTags::Any.include(&HeaderValue::from_static("\"9\"")));
    }

    #[test]
    fn only_a_strong_tag_is_the_same_bytes() {
        let known = tags(&["\"7\", W/\"8\""]).unwrap();
        for (tag, is_included) in [
            ("\"7\"", true),
            ("W/\"7\"", false),
            ("\"8\"", false),
            ("W/\"8\"", false),
        ] {
            let tag = HeaderValue::from_static(tag);
            assert_eq!(known.include_strong(&tag), is_included, "{tag:?}");
        }
    }
}
