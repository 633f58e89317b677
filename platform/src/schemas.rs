//! Schemas of bodies as JSON, and an example of what each allows. A type declares an example of each of its texts, and
//! of what would contradict another field; all else follows from its schema.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// What stands for a text of a format.
const OF_FORMATS: [(&str, &str); 4] = [
    ("date-time", "2027-03-01T18:00:00Z"),
    ("email", "ada@example.com"),
    ("password", "seven lanterns drift past the teal bridge"),
    ("uuid", "0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77"),
];

/// The schemas to which others refer, by their names.
#[derive(Debug)]
pub(crate) struct Schemas(Map<String, Value>);

impl Schemas {
    pub(crate) fn new(named: impl IntoIterator<Item = (String, impl Serialize)>) -> Self {
        let named = named.into_iter();
        Self(named.map(|(name, it)| (name, as_json(it))).collect())
    }

    /// What the schema refers to; of several schemas the first that is not that of null.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        self.alternatives(schema).first().copied().unwrap_or(schema)
    }

    /// What the schema refers to; of several schemas all that are not that of null.
    pub(crate) fn alternatives<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            let named = self.0.get(name);
            return named.map_or_else(|| vec![schema], |named| self.alternatives(named));
        }
        let Some(listed) = schema["oneOf"].as_array() else {
            return vec![schema];
        };
        let others = listed.iter().filter(|it| it["type"] != "null");
        others.flat_map(|it| self.alternatives(it)).collect()
    }

    /// Whether the schema allows values of this type. One that names no type allows all.
    pub(crate) fn allows(schema: &Value, wanted: &str) -> bool {
        let mut types = types_of(schema).peekable();
        types.peek().is_none() || types.any(|it| it == wanted)
    }

    /// What a value of the schema must be.
    pub(crate) fn words(schema: &Value) -> String {
        let name = match type_of(schema) {
            "object" => "an object",
            "array" => "an array",
            "string" => "a string",
            "integer" => return integers(schema),
            "number" => "a number",
            "boolean" => "true or false",
            _ => "as the description says",
        };
        name.to_owned()
    }

    /// Whether the schema allows integers and nothing else but null.
    pub(crate) fn is_integer(schema: &Value) -> bool {
        type_of(schema) == "integer"
    }

    /// Whether the text is an integer in the range of the schema.
    pub(crate) fn allows_integer(schema: &Value, text: &str) -> bool {
        let (min, max) = bounds(schema);
        text.parse()
            .is_ok_and(|number| (min..=max).contains(&number))
    }

    /// A value that the schema allows.
    pub(crate) fn example(&self, schema: &Value) -> Value {
        let schema = self.resolve(schema);
        if let Some(declared) = declared(schema) {
            return declared.clone();
        }
        match type_of(schema) {
            "object" => {
                let fields = schema["properties"].as_object().into_iter().flatten();
                let field = |(name, schema): (&String, _)| (name.clone(), self.example(schema));
                fields.map(field).collect()
            }
            "array" => json!([self.example(&schema["items"])]),
            "integer" => schema["minimum"].as_i64().unwrap_or(1).into(),
            "boolean" => false.into(),
            "string" => text(schema).into(),
            _ => Value::Null,
        }
    }
}

/// The example that a type or a field states, or the first of the few values that it may have.
fn declared(schema: &Value) -> Option<&Value> {
    let first = |list: &'static str| schema.get(list)?.get(0);
    let example = schema.get("example").or_else(|| first("examples"));
    example.or_else(|| first("enum"))
}

/// The types of the values that the schema names.
fn types_of(schema: &Value) -> impl Iterator<Item = &str> {
    let found = &schema["type"];
    let listed = found.as_array().into_iter().flatten();
    listed.chain([found]).filter_map(Value::as_str)
}

/// The type of a value, other than null.
fn type_of(schema: &Value) -> &str {
    types_of(schema)
        .find(|it| *it != "null")
        .unwrap_or_default()
}

/// The lowest and the highest integer that the schema allows.
fn bounds(schema: &Value) -> (i64, i64) {
    let min = schema["minimum"].as_i64().unwrap_or(i64::MIN);
    let max = schema["maximum"].as_i64().unwrap_or(i64::MAX);
    (min, max)
}

/// The integers that the schema allows, in words.
fn integers(schema: &Value) -> String {
    match bounds(schema) {
        (i64::MIN, i64::MAX) => "an integer".to_owned(),
        (i64::MIN, max) => format!("an integer of at most {max}"),
        (min, max) => format!("an integer from {min} to {max}"),
    }
}

fn text(schema: &Value) -> String {
    let of_format = OF_FORMATS
        .iter()
        .find(|(format, _)| schema["format"] == *format);
    if let Some((_, example)) = of_format {
        return (*example).to_owned();
    }
    let length = schema["minLength"].as_u64();
    "a".repeat(length.and_then(|min| min.try_into().ok()).unwrap_or(1))
}

/// A schema as JSON.
pub(crate) fn as_json(schema: impl Serialize) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}
