//! Checks every string of an operation: its length and its characters.
//!
//! Strings are found by walking the arguments of the operation along the schema, with the values of the variables, so
//! that the limits of its type automatically apply to an argument or input field that is added later. Only fields that
//! need more than their type allows are listed in [`FIELD_STRING_LIMITS`]. Use cases have lower limits where they can
//! give a better message (`NAME_MALFORMED`, `TITLE_TOO_LONG`).

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Schema,
    ast::{self, Type},
    executable::{Field, Operation, Selection, SelectionSet},
    schema::{ExtendedType, InputObjectType},
};
use domain::text::{self, LineMode, TextFault};
use serde_json::{Map, Value};

use crate::error::{Error, ExceededLimit, ValidationError};

/// Maximum length of a string, and whether it may have several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StringLimits {
    /// Whether line breaks are allowed.
    pub shape: LineMode,
    /// Maximum length in characters.
    pub limit: usize,
}

const fn line(limit: usize) -> StringLimits {
    StringLimits { shape: LineMode::Line, limit }
}

const fn lines(limit: usize) -> StringLimits {
    StringLimits { shape: LineMode::Lines, limit }
}

/// Limits of strings by type; [`ANY`] applies to other types.
const TYPES: &[(&str, StringLimits)] = &[
    ("ID", line(256)),
    ("EmailAddress", line(320)),
    ("URL", line(2_000)),
    ("TimeZone", line(100)),
    ("LanguageTag", line(100)),
    ("DateTime", line(100)),
    ("LocalTime", line(100)),
    ("JSON", lines(10_000)),
];
const ANY: StringLimits = line(1_000);
/// Arguments (`Type.field.argument`) and input fields (`Input.field`) that need more than their type allows.
pub const FIELD_STRING_LIMITS: &[(&str, StringLimits)] = &[
    ("CreateBookingInput.description", lines(20_000)),
    ("CancelBookingInput.message", lines(20_000)),
    // The provider's own, which may be a whole address.
    ("Query.directory.after", line(8_000)),
];
/// Maximum size of a value of the type `JSON`, in bytes.
const JSON_BYTES: usize = 64 * 1024;

/// The limits of a string in an argument or input field.
pub fn string_limits(owner: &str, ty: &str) -> StringLimits {
    let named = |table: &[(&str, StringLimits)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule)
    };
    named(FIELD_STRING_LIMITS, owner).or_else(|| named(TYPES, ty)).unwrap_or(ANY)
}

/// Refuses an operation that contains a string which is too long or has a forbidden character.
pub fn check_strings(
    schema: &Schema,
    document: &ExecutableDocument,
    operation: &Operation,
    variables: &Map<String, Value>,
) -> Result<(), Error> {
    Check { schema, document, operation, variables, seen: HashSet::new() }.set(&operation.selection_set)
}

struct Check<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    variables: &'a Map<String, Value>,
    /// Fragments that have been walked already.
    seen: HashSet<&'a str>,
}

/// Path of a value, for the message, and its limits.
struct At<'a> {
    place: String,
    rule: StringLimits,
    ty: &'a str,
}

impl<'a> Check<'a> {
    fn set(&mut self, set: &'a SelectionSet) -> Result<(), Error> {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.arguments(&set.ty, field)?;
                    self.set(&field.selection_set)?;
                }
                Selection::InlineFragment(inline) => self.set(&inline.selection_set)?,
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment
                        && self.seen.insert(&spread.fragment_name)
                    {
                        self.set(&fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn arguments(&self, parent: &str, field: &'a Field) -> Result<(), Error> {
        for argument in &field.arguments {
            let Some(definition) = field.definition.argument_by_name(&argument.name) else { continue };
            let owner = format!("{parent}.{}.{}", field.name, argument.name);
            self.literal(&at(&owner, argument.name.to_string(), &definition.ty), &argument.value)?;
        }
        Ok(())
    }

    /// Checks a literal in the document.
    fn literal(&self, at: &At<'a>, value: &'a ast::Value) -> Result<(), Error> {
        match value {
            ast::Value::String(text) => at.text(text),
            ast::Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(given) => self.value(at, given),
                None => {
                    let declared = self.operation.variables.iter().find(|declared| declared.name == *name);
                    let default = declared.and_then(|declared| declared.default_value.as_ref());
                    default.map_or(Ok(()), |default| self.literal(at, default))
                }
            },
            ast::Value::List(items) => items.iter().try_for_each(|item| self.literal(at, item)),
            ast::Value::Object(fields) => fields.iter().try_for_each(|(name, inner)| {
                at.text(name)?;
                self.literal(&self.member(at, name), inner)
            }),
            _ => Ok(()),
        }
    }

    /// Checks the value of a variable.
    fn value(&self, at: &At<'a>, value: &Value) -> Result<(), Error> {
        let bytes =
            if at.ty == "JSON" { serde_json::to_string(value).map_or(0, |text| text.len()) } else { 0 };
        if bytes > JSON_BYTES {
            let message = format!("`{}` has more than {JSON_BYTES} bytes.", at.place);
            let excess = ExceededLimit { limit: JSON_BYTES as u64, actual: bytes as u64 };
            return Err(Error::TextTooLong(ValidationError::new(&message, None), excess));
        }
        match value {
            Value::String(text) => at.text(text),
            Value::Array(items) => items.iter().try_for_each(|item| self.value(at, item)),
            Value::Object(fields) => fields.iter().try_for_each(|(name, inner)| {
                at.text(name)?;
                self.value(&self.member(at, name), inner)
            }),
            _ => Ok(()),
        }
    }

    /// The path of a field of an object. The limits of a scalar such as `JSON` apply to its fields.
    fn member(&self, at: &At<'a>, name: &str) -> At<'a> {
        let field = self.input(at.ty).and_then(|input| Some((input, input.fields.get(name)?)));
        let place = format!("{}.{name}", at.place);
        match field {
            Some((input, field)) => self::at(&format!("{}.{name}", input.name), place, &field.ty),
            // Members of members are not walked with the bound of the whole again.
            None => At { place: at.place.clone(), rule: at.rule, ty: "" },
        }
    }

    fn input(&self, ty: &str) -> Option<&'a InputObjectType> {
        match self.schema.types.get(ty) {
            Some(ExtendedType::InputObject(object)) => Some(object),
            _ => None,
        }
    }
}

fn at<'a>(owner: &str, place: String, ty: &'a Type) -> At<'a> {
    let ty = ty.inner_named_type().as_str();
    At { place, rule: string_limits(owner, ty), ty }
}

impl At<'_> {
    fn text(&self, text: &str) -> Result<(), Error> {
        let Err(fault) = text::check_visible(text, self.rule.shape, self.rule.limit) else { return Ok(()) };
        let finding = ValidationError::new(&format!("`{}` cannot be read: {fault}.", self.place), None);
        Err(match fault {
            TextFault::TooLong { .. } => {
                let actual = text.chars().count() as u64;
                Error::TextTooLong(finding, ExceededLimit { limit: self.rule.limit as u64, actual })
            }
            TextFault::Character(_) | TextFault::Invisible | TextFault::Direction => {
                Error::TextMalformed(finding)
            }
        })
    }
}
