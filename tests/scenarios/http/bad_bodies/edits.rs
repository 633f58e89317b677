//! Makes bad bodies of a good one: at each place in it, one thing is wrong.

use serde_json::Value;

/// A place in a document.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// RFC 6901.
    pub(crate) pointer: String,
    pub(crate) value: Value,
}

/// Stands for what is put there as text; no string in a body is like it.
const MARK: &str = "\"\u{2603}here\u{2603}\"";

/// Every place below the whole.
pub(crate) fn places(document: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found.retain(|place| !place.pointer.is_empty());
    found
}

/// Every object, the whole among them; maps with keys of the client's choice are none.
pub(crate) fn objects(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found.retain(|place| place.value.is_object() && !place.pointer.ends_with("/specifications"));
    found.into_iter().map(|place| place.pointer).collect()
}

fn collect(value: &Value, pointer: &str, found: &mut Vec<Place>) {
    found.push(Place {
        pointer: pointer.to_owned(),
        value: value.clone(),
    });
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            collect(member, &format!("{pointer}/{name}"), found);
        }
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            collect(item, &format!("{pointer}/{index}"), found);
        }
    }
}

/// The document with something else in one place.
pub(crate) fn put(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

/// The text of the document with a text in one place, which need not be JSON.
pub(crate) fn put_text(document: &Value, pointer: &str, text: &str) -> String {
    let mark: Value = serde_json::from_str(MARK).unwrap();
    let marked = put(document, pointer, mark).to_string();
    assert!(marked.contains(MARK));
    marked.replacen(MARK, text, 1)
}

/// The document with a member more in one of its objects.
pub(crate) fn add(document: &Value, object: &str, name: &str, value: Value) -> Value {
    let mut changed = document.clone();
    let object = changed.pointer_mut(object).unwrap();
    object
        .as_object_mut()
        .unwrap()
        .insert(name.to_owned(), value);
    changed
}

/// The document without what is in one place, if that is a member.
pub(crate) fn remove(document: &Value, pointer: &str) -> Option<Value> {
    let mut changed = document.clone();
    let (object, name) = pointer.rsplit_once('/').unwrap();
    changed
        .pointer_mut(object)?
        .as_object_mut()?
        .remove(name)
        .map(|_| changed)
}

/// The text of the document with the first member of one of its objects a second time.
pub(crate) fn repeat_key(document: &Value, object: &str) -> String {
    let original = document.pointer(object).unwrap();
    let (name, value) = original.as_object().unwrap().iter().next().unwrap();
    let text = original.to_string();
    let repeated = format!("{{\"{name}\":{value},{}", &text[1..]);
    if object.is_empty() {
        repeated
    } else {
        put_text(document, object, &repeated)
    }
}
