//! Recurrence rules of vCalendar 1.0, which old phones write: `W2 MO WE #10`.

use std::fmt::Write;

use super::parse::RuleError;
use crate::ical::raw_date_time;

/// Translates a recurrence rule from vCalendar to iCalendar; `None` if the string is not a vCalendar rule.
pub(super) fn translate_rule(text: &str) -> Option<Result<String, RuleError>> {
    let text = text.to_ascii_uppercase();
    let mut tokens = text.split_whitespace();
    let first = tokens.next()?;
    let (kind, interval) = first.split_at(first.find(|char: char| char.is_ascii_digit())?);
    let is_number = interval.bytes().all(|byte| byte.is_ascii_digit());
    let (frequency, list) = match kind {
        "D" => ("DAILY", None),
        "W" => ("WEEKLY", Some("BYDAY")),
        "MP" => ("MONTHLY", Some("BYDAY")),
        "MD" => ("MONTHLY", Some("BYMONTHDAY")),
        "YM" => ("YEARLY", Some("BYMONTH")),
        "YD" => ("YEARLY", Some("BYYEARDAY")),
        // So many minutes within another rule.
        "M" if is_number => return Some(Err(RuleError::Anytime)),
        _ => return None,
    };
    is_number.then(|| rest(tokens, list).map(|rest| format!("FREQ={frequency};INTERVAL={interval}{rest}")))
}

/// Translates the list of days and the end of a vCalendar rule.
fn rest<'a>(tokens: impl Iterator<Item = &'a str>, list: Option<&str>) -> Result<String, RuleError> {
    let (mut values, mut positions, mut end) = (Vec::new(), Vec::new(), None);
    for token in tokens {
        if let Some(count) = token.strip_prefix('#') {
            end = Some(End::Count(count.parse().map_err(|_| RuleError::Daily)?));
        } else if token.len() >= 8 && raw_date_time::parse(token).is_some() {
            end = Some(End::Until(token));
        } else if let Some(position) = signed(token).filter(|_| list == Some("BYDAY")) {
            // It holds for the weekdays behind it.
            if !values.is_empty() && positions.len() == 1 {
                return Err(RuleError::Daily);
            }
            positions.push(position);
        } else if list.is_some() {
            values.push(value(token).ok_or(RuleError::Anytime)?);
        } else {
            // Times of the day, or a rule within the rule.
            return Err(RuleError::Anytime);
        }
    }
    let mut text = String::new();
    if let Some(list) = list.filter(|_| !values.is_empty()) {
        let mut all = if positions.is_empty() { values.clone() } else { Vec::new() };
        for value in &values {
            all.extend(positions.iter().map(|position: &i32| format!("{position}{value}")));
        }
        // Writing to a String cannot fail.
        let _ = write!(text, ";{list}={}", all.join(","));
    }
    // Programs differ in whether periods or occurrences are counted, and in what a rule without an end means.
    let _ = match end {
        Some(End::Count(0)) => Ok(()),
        Some(End::Count(count)) => {
            let each = u32::try_from(values.len() * positions.len().max(1)).unwrap_or(u32::MAX).max(1);
            write!(text, ";COUNT={}", count.saturating_mul(each))
        }
        Some(End::Until(token)) => write!(text, ";UNTIL={token}"),
        None => write!(text, ";COUNT=?"),
    };
    Ok(text)
}

/// The end of a vCalendar rule: a number of occurrences or a point in time.
enum End<'a> {
    Count(u32),
    Until(&'a str),
}

/// Parses an ordinal such as `2+` or `1-`, counted from the beginning or from the end.
fn signed(token: &str) -> Option<i32> {
    let (number, sign) = match token.strip_suffix('-') {
        Some(number) => (number, -1),
        None => (token.strip_suffix('+').unwrap_or(token), 1),
    };
    number.parse::<i32>().ok().filter(|number| (1..=366).contains(number)).map(|number| sign * number)
}

/// Parses a list value: a weekday, a number, or `LD` for the last day.
fn value(token: &str) -> Option<String> {
    match token {
        "LD" => Some("-1".to_owned()),
        "MO" | "TU" | "WE" | "TH" | "FR" | "SA" | "SU" => Some(token.to_owned()),
        token => signed(token).filter(|_| token.len() < 4).map(|number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_vcalendar_are_said_in_the_words_of_icalendar() {
        for (text, expected) in [
            ("D2 #10", "FREQ=DAILY;INTERVAL=2;COUNT=10"),
            ("w1 mo we #4", "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,WE;COUNT=8"),
            ("W1 #0", "FREQ=WEEKLY;INTERVAL=1"),
            ("MP1 2+ TU 20261231T000000Z", "FREQ=MONTHLY;INTERVAL=1;BYDAY=2TU;UNTIL=20261231T000000Z"),
            ("MP1 1+ 2- MO TU #0", "FREQ=MONTHLY;INTERVAL=1;BYDAY=1MO,-2MO,1TU,-2TU"),
            ("MD1 8 3- LD #0", "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=8,-3,-1"),
            ("YM1 6 12 #0", "FREQ=YEARLY;INTERVAL=1;BYMONTH=6,12"),
            ("YD1 341", "FREQ=YEARLY;INTERVAL=1;BYYEARDAY=341;COUNT=?"),
        ] {
            assert_eq!(translate_rule(text), Some(Ok(expected.to_owned())), "{text}");
        }
        for text in ["D1 0600 1500 #2", "W1 TU 1200 TH 1000", "D1 #2 M30 #3", "M15 #4"] {
            assert_eq!(translate_rule(text), Some(Err(RuleError::Anytime)), "{text}");
        }
        assert_eq!(
            translate_rule("MP1 1+ MO 2- TU #0"),
            Some(Err(RuleError::Daily)),
            "which belongs to which"
        );
        for text in ["", "FREQ=DAILY", "D", "X1 #2", "FREQ=DAILY;INTERVAL=2"] {
            assert_eq!(translate_rule(text), None, "{text}");
        }
    }
}
