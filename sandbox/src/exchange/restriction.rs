//! Restrictions: conditions that select the items of FindItem.

use super::{
    failure::Failure,
    xml::{Element, TYPES},
};
use crate::model::Event;

/// Whether an event matches a condition.
pub fn matches_event(condition: &Element, event: &Event) -> Result<bool, Failure> {
    let all =
        || condition.children.iter().map(|inner| matches_event(inner, event)).collect::<Result<Vec<_>, _>>();
    match condition.name.as_str() {
        "And" => Ok(all()?.into_iter().all(|one| one)),
        "Or" => Ok(all()?.into_iter().any(|one| one)),
        "IsEqualTo" => {
            let wanted = constant(condition).unwrap_or_default();
            let held = condition.children.first().and_then(|field| value(field, event));
            // Texts are compared without regard to case.
            Ok(held.is_some_and(|held| held.eq_ignore_ascii_case(wanted)))
        }
        "Exists" => Ok(condition.children.first().and_then(|field| value(field, event)).is_some()),
        other => Err(Failure::new(
            "ErrorUnsupportedPathForQuery",
            format!("This server has no restriction {other}."),
        )),
    }
}

fn constant(condition: &Element) -> Option<&str> {
    condition.child(TYPES, "FieldURIOrConstant")?.child(TYPES, "Constant")?.attribute("Value")
}

fn value(field: &Element, event: &Event) -> Option<String> {
    match field.name.as_str() {
        "ExtendedFieldURI" => {
            let id = property_id(field)?;
            event
                .extended
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(&id))
                .map(|(_, held)| held.clone())
        }
        _ => match field.attribute("FieldURI")? {
            "item:Subject" => Some(event.subject.clone()),
            "calendar:UID" => Some(event.ical_uid.clone()),
            "item:ItemClass" => Some("IPM.Appointment".to_owned()),
            _ => None,
        },
    }
}

/// The id of an extended property in Graph's format, because both interfaces show the same properties.
pub fn property_id(field: &Element) -> Option<String> {
    let set = match field.attribute("DistinguishedPropertySetId") {
        Some("PublicStrings") => "00020329-0000-0000-c000-000000000046",
        Some(_) => return None,
        None => field.attribute("PropertySetId")?,
    };
    let kind = field.attribute("PropertyType")?;
    Some(format!("{kind} {{{}}} Name {}", set.to_lowercase(), field.attribute("PropertyName")?))
}
