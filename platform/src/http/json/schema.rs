//! The schema of a body: where it has objects and arrays, and what may stand in the place of a wrong value.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{FAULTS_MAX, FieldError, strict};
use crate::http::words;
use crate::schemas::{Schemas, as_json};

/// The schemas that were made before: making one takes longer than reading a body.
static KNOWN: LazyLock<RwLock<HashMap<TypeId, Arc<Schema>>>> = LazyLock::new(RwLock::default);

/// The schema of a type and those that it refers to.
#[derive(Debug)]
pub(super) struct Schema {
    root: Value,
    schemas: Schemas,
}

impl Schema {
    pub(super) fn of<T: ToSchema + 'static>() -> Arc<Self> {
        let id = TypeId::of::<T>();
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known.get(&id) {
            return Arc::clone(schema);
        }
        drop(known);
        let mut named = Vec::new();
        T::schemas(&mut named);
        let schema = Arc::new(Self {
            root: as_json(T::schema()),
            schemas: Schemas::new(named),
        });
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(id).or_insert(schema))
    }

    /// Adds the objects and arrays of a body that stand where the schema has something else, and UUIDs in other forms than
    /// its format (RFC 9562, section 4). Serde reads an array as an object whose fields stand in the order of the source,
    /// an object as the variant that its key names, and a UUID without hyphens, in braces or as a URN.
    pub(super) fn tell_misfits(&self, body: &Value, found: &mut Vec<FieldError>) {
        self.tell_misfits_at(&mut String::new(), &self.root, body, found);
    }

    fn tell_misfits_at(
        &self,
        pointer: &mut String,
        schema: &Value,
        value: &Value,
        found: &mut Vec<FieldError>,
    ) {
        let kind = match value {
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::String(text) => return self.tell_uuid(pointer, schema, text, found),
            Value::Null | Value::Bool(_) | Value::Number(_) => return,
        };
        let alternatives = self.schemas.alternatives(schema);
        let allows = |schema: &&Value| Schemas::allows(schema, kind);
        if !alternatives.iter().any(allows) {
            if let Some(schema) = alternatives.first()
                && found.len() < FAULTS_MAX
            {
                let detail = format!("must be {}", Schemas::words(schema));
                found.push(FieldError::pointer(pointer.clone(), detail));
            }
            return;
        }
        // Of several alternatives, the parser finds the one that is meant.
        let [schema] = alternatives[..] else {
            return;
        };
        let items = value.as_array().into_iter().flatten().enumerate();
        let items = items.map(|(index, item)| (index.to_string(), item));
        let members = value.as_object().into_iter().flatten();
        let members = members.map(|(name, member)| (name.clone(), member));
        for (token, value) in items.chain(members) {
            if let Some(schema) = member(schema, &token) {
                let parent = pointer.len();
                strict::push(pointer, &token);
                self.tell_misfits_at(pointer, schema, value, found);
                pointer.truncate(parent);
            }
        }
    }

    /// What is no UUID in any form is told by the parser.
    fn tell_uuid(&self, pointer: &str, schema: &Value, text: &str, found: &mut Vec<FieldError>) {
        let is_uuid = |schema: &&Value| schema["format"] == "uuid";
        if self.schemas.alternatives(schema).iter().any(is_uuid)
            && words::is_uuid_in_another_form(text)
            && found.len() < FAULTS_MAX
        {
            found.push(FieldError::pointer(pointer, words::UUID));
        }
    }

    /// The schema of what stands at `pointer`; null if there is none.
    pub(super) fn at(&self, pointer: &str) -> &Value {
        let tokens = tokens(pointer);
        let schema = tokens.iter().try_fold(&self.root, |schema, token| {
            member(self.schemas.resolve(schema), token)
        });
        schema.map_or(&Value::Null, |schema| self.schemas.resolve(schema))
    }

    /// Replaces the value at `pointer` by one that its schema allows, or adds it.
    pub(super) fn put_right(&self, body: &mut Value, pointer: &str) {
        let value = self.schemas.example(self.at(pointer));
        if let Some(wrong) = body.pointer_mut(pointer) {
            *wrong = value;
        } else if let Some((object, name)) = parent(body, pointer) {
            object.insert(name, value);
        }
    }
}

fn member<'a>(schema: &'a Value, token: &str) -> Option<&'a Value> {
    let members = [
        &schema["properties"][token],
        &schema["items"],
        &schema["additionalProperties"],
    ];
    members.into_iter().find(|member| member.is_object())
}

fn tokens(pointer: &str) -> Vec<String> {
    let tokens = pointer.split('/').skip(1);
    tokens
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// The object that holds the member at `pointer`, and the member's name.
pub(super) fn parent<'a>(
    body: &'a mut Value,
    pointer: &str,
) -> Option<(&'a mut Map<String, Value>, String)> {
    let (object, _) = pointer.rsplit_once('/')?;
    let name = tokens(pointer).pop()?;
    Some((body.pointer_mut(object)?.as_object_mut()?, name))
}
