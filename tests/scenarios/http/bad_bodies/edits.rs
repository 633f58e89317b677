//! Makes bad bodies of a good one by changing one node of it.

use serde_json::Value;

/// A value within a document.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it is: a JSON pointer (RFC 6901).
    pub(crate) pointer: String,
    pub(crate) value: Value,
}

/// Stands for a text that is not a JSON value until it replaces this string. No body contains it.
const MARK: &str = "\"\u{2603}here\u{2603}\"";

/// Every node of a document except the document itself.
pub(crate) fn nodes(document: &Value) -> Vec<Node> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found.retain(|node| !node.pointer.is_empty());
    found
}

/// The pointers to every object of a document, itself among them.
pub(crate) fn objects(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found.retain(|node| node.value.is_object());
    found.into_iter().map(|node| node.pointer).collect()
}

fn collect(value: &Value, pointer: &str, found: &mut Vec<Node>) {
    found.push(Node {
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

/// The document with another value at the pointer, where there must be one.
pub(crate) fn replace(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

/// The text of the document with this text at the pointer; it need not be JSON.
pub(crate) fn replace_by_text(document: &Value, pointer: &str, text: &str) -> String {
    let mark: Value = serde_json::from_str(MARK).unwrap();
    let marked = replace(document, pointer, mark).to_string();
    assert!(marked.contains(MARK));
    marked.replacen(MARK, text, 1)
}

/// The document with one member more in one of its objects.
pub(crate) fn add_member(document: &Value, object: &str, name: &str, value: Value) -> Value {
    let mut changed = document.clone();
    let object = changed.pointer_mut(object).unwrap();
    object
        .as_object_mut()
        .unwrap()
        .insert(name.to_owned(), value);
    changed
}

/// The document without the member at the pointer; none if the pointer leads to an item of an array.
pub(crate) fn remove_member(document: &Value, pointer: &str) -> Option<Value> {
    let mut changed = document.clone();
    let (object, name) = pointer.rsplit_once('/').unwrap();
    changed
        .pointer_mut(object)?
        .as_object_mut()?
        .remove(name)
        .map(|_| changed)
}

/// The text of the document with the first member of one of its objects twice.
pub(crate) fn repeat_first_member(document: &Value, object: &str) -> String {
    let original = document.pointer(object).unwrap();
    let (name, value) = original.as_object().unwrap().iter().next().unwrap();
    let text = original.to_string();
    let repeated = format!("{{\"{name}\":{value},{}", &text[1..]);
    if object.is_empty() {
        repeated
    } else {
        replace_by_text(document, object, &repeated)
    }
}
