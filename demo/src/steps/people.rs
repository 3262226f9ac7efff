//! The tenant's users and rooms, and their activation.

use std::time::Duration;

use serde_json::{Value, json};

use super::tenant::administrator_address;
use crate::{
    Demo,
    backoff::{Backoff, MAX_OUTAGE, PollResult, poll_until},
    error::{Error, Result, ensure, unexpected},
    graph::{Attempt, list_at, mutation_payload, number_at, string_at},
    plan::Step,
    state::{Person, Room},
};

const ACTIVATED: Duration = Duration::from_mins(3);

const DIRECTORY: &str = "query($id: ID!, $after: String) {
    directory(integrationId: $id, after: $after) { people { address name } next } }";
const USERS: &str = "query($after: String) { users(first: 100, after: $after) {
    nodes { id name calendarAddress calendar { state reason { code message } connectedMailbox { viaServiceAccount } } }
    pageInfo { hasNextPage endCursor } } }";
const CREATE_USERS: &str = "mutation($input: CreateUsersInput!) {
    createUsers(input: $input) { users { id } userErrors { code message } } }";
const ROOMS: &str = "query($id: ID!) { rooms(first: 100, filter: { integrationId: $id }) {
    nodes { id name address connectedMailbox { state reason { code message } } } } }";
const START: &str = "mutation($input: StartCampaignInput!) {
    startCampaign(input: $input) { campaign { id } userErrors { code message } } }";
const CAMPAIGN: &str = "query($id: ID!) { campaign(id: $id) {
    state progress { total finished active freeBusyOnly unreachable } } }";

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    demo.step(Step::CreateUsers, create_users).await?;
    demo.step(Step::Activate, activate).await?;
    demo.step(Step::AddUser, add_user).await
}

/// A person listed in the directory.
struct Listed {
    name: String,
    address: String,
}

async fn create_users(demo: &mut Demo) -> Result<String> {
    let mut within = Vec::new();
    let mut outside = named_out_of_reach(demo).await?;
    for listed in directory(demo).await? {
        if within.len() > demo.users && outside.is_some() {
            break;
        }
        if is_within_reach(demo, &listed.address).await? {
            within.push(listed);
        } else {
            outside = outside.or(Some(listed));
        }
    }
    ensure(within.len() > demo.users, || {
        format!("the directory lists {} people within reach; {} are needed", within.len(), demo.users + 1)
    })?;
    let newcomer = within.swap_remove(demo.users);
    within.truncate(demo.users);
    let outsider = outside.unwrap_or_else(|| nobody(demo, &newcomer));
    let made = ensure_users(demo, within.iter().chain([&outsider])).await?;
    demo.state.made.people = made.iter().take(demo.users).cloned().collect();
    demo.state.made.outsider = made.last().cloned();
    demo.state.made.newcomer =
        Some(Person { id: String::new(), name: newcomer.name, address: newcomer.address });
    Ok(format!("{} from the directory and {}, who is out of reach", within.len(), outsider.name))
}

/// All people in the directory except the invited administrator and the service mailbox.
async fn directory(demo: &Demo) -> Result<Vec<Listed>> {
    let integration = demo.state.made.integration.clone();
    let (mut after, mut people) = (Value::Null, Vec::new());
    let hidden = [Some(administrator_address(demo).await?), demo.state.made.service_mailbox.clone()];
    loop {
        let page = demo.graph.query(DIRECTORY, json!({ "id": integration, "after": after })).await?;
        for person in list_at(&page, "/directory/people")? {
            let (name, address) =
                (string_at(person, "/name")?.to_owned(), string_at(person, "/address")?.to_owned());
            let is_hidden = hidden.iter().flatten().any(|hidden| hidden.eq_ignore_ascii_case(&address));
            if !is_hidden {
                people.push(Listed { name, address });
            }
        }
        after = page["directory"]["next"].clone();
        if after.is_null() {
            return Ok(people);
        }
    }
}

/// Whether the service account can access the mailbox, according to the provider.
async fn is_within_reach(demo: &Demo, address: &str) -> Result<bool> {
    if let (Some(sandbox), Some(organisation)) = (&demo.sandbox, &demo.state.made.organisation) {
        let read = sandbox.read_organisation(organisation).await?;
        let known = list_at(&read, "/users")?.iter().find(|user| user["address"] == address);
        return Ok(known.is_some_and(|user| user["in_scope"] == true));
    }
    match &demo.dav {
        Some(dav) => dav.can_write_to(address, demo.password()).await,
        None => Ok(true),
    }
}

/// The person given as out of scope, if the provider confirms that.
async fn named_out_of_reach(demo: &Demo) -> Result<Option<Listed>> {
    let Some(address) = demo.out_of_reach.clone() else { return Ok(None) };
    let is_reached = is_within_reach(demo, &address).await?;
    ensure(!is_reached, || format!("{address} is within reach at the provider"))?;
    Ok(Some(Listed { name: address.clone(), address }))
}

/// A person without a mailbox.
fn nobody(demo: &Demo, like: &Listed) -> Listed {
    let domain = like.address.split('@').nth(1).unwrap_or("example.test");
    Listed { name: "Nobody Here".to_owned(), address: format!("nobody.{}@{domain}", demo.state.made.name) }
}

/// Creates the missing users. The mutation has no idempotency key, so they are looked up before every attempt.
async fn ensure_users<'a>(
    demo: &Demo,
    wanted: impl Iterator<Item = &'a Listed> + Clone,
) -> Result<Vec<Person>> {
    let mut patience = Backoff::with_time_limit(MAX_OUTAGE);
    loop {
        let known = users(demo).await?;
        let find = |address: &str| known.iter().find(|user| is_at(user, address));
        let missing: Vec<Value> =
            wanted.clone().filter(|user| find(&user.address).is_none()).map(new).collect();
        if missing.is_empty() {
            let found = wanted.filter_map(|user| find(&user.address).map(|known| (user, known)));
            return found.map(|(user, known)| person(user, known)).collect();
        }
        match demo.graph.send_once(CREATE_USERS, json!({ "input": { "users": missing } })).await? {
            Attempt::Answered(data) => drop(mutation_payload(data)?),
            Attempt::Unknown(_) if patience.wait().await => {}
            Attempt::Unknown(why) => return Err(Error::Unreachable { what: "the API".to_owned(), why }),
        }
    }
}

fn is_at(user: &Value, address: &str) -> bool {
    user["calendarAddress"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(address))
}

fn new(user: &Listed) -> Value {
    json!({
        "email": user.address,
        "name": user.name,
        "calendarAddress": user.address,
        "timeZone": super::time::TIME_ZONE,
    })
}

fn person(user: &Listed, known: &Value) -> Result<Person> {
    let id = string_at(known, "/id")?.to_owned();
    Ok(Person { id, name: user.name.clone(), address: user.address.clone() })
}

/// All users of the tenant.
async fn users(demo: &Demo) -> Result<Vec<Value>> {
    let (mut after, mut users) = (Value::Null, Vec::new());
    loop {
        let page = demo.graph.query(USERS, json!({ "after": after })).await?;
        users.extend_from_slice(list_at(&page, "/users/nodes")?);
        if page["users"]["pageInfo"]["hasNextPage"] != true {
            return Ok(users);
        }
        after = page["users"]["pageInfo"]["endCursor"].clone();
    }
}

async fn activate(demo: &mut Demo) -> Result<String> {
    let integration = demo.state.made.integration.clone();
    let started = demo.graph.mutate(START, json!({ "input": { "integrationId": integration } })).await?;
    let campaign = string_at(&started, "/campaign/id")?.to_owned();
    demo.state.made.campaign = Some(campaign.clone());
    let bar = demo.report.add_bar("mailboxes");
    let progress = poll_until("the end of the campaign", ACTIVATED, async || {
        let read = demo.graph.query(CAMPAIGN, json!({ "id": campaign })).await?;
        let progress = &read["campaign"]["progress"];
        show(demo, &bar).await?;
        let state = string_at(&read, "/campaign/state")?;
        Ok(if state == "FINISHED" {
            PollResult::Done(progress.clone())
        } else {
            PollResult::NotYet(progress.to_string())
        })
    })
    .await?;
    bar.finish_and_clear();
    let active = settled(demo).await?;
    demo.state.made.people.retain(|person| active.iter().any(|user| is_at(user, &person.address)));
    let people = demo.state.made.people.len();
    ensure(people >= 3, || format!("{people} people are active; three are needed"))?;
    demo.state.made.rooms = rooms(demo).await?;
    let (total, unreachable) = (number_at(&progress, "/total")?, number_at(&progress, "/unreachable")?);
    Ok(format!(
        "{people} people and {} rooms are active; the campaign had {total} mailboxes, {unreachable} out of reach",
        demo.state.made.rooms.len()
    ))
}

/// Shows the number of people with a result; new users are activated automatically, independently of the campaign.
async fn show(demo: &Demo, bar: &indicatif::ProgressBar) -> Result<()> {
    let users = users(demo).await?;
    let with_mailbox = users.iter().filter(|user| !user["calendarAddress"].is_null());
    bar.set_length(with_mailbox.clone().count() as u64);
    bar.set_position(with_mailbox.filter(|user| has_result(user)).count() as u64);
    Ok(())
}

fn has_result(user: &Value) -> bool {
    matches!(user["calendar"]["state"].as_str(), Some("ACTIVE" | "UNREACHABLE" | "FREE_BUSY_ONLY"))
}

/// Waits until every person has a result, and checks the results. Returns the active users. If the provider cannot be
/// queried, any of the mailboxes may be out of scope.
async fn settled(demo: &Demo) -> Result<Vec<Value>> {
    let outsider = demo.state.made.outsider.as_ref().map(|person| person.address.clone()).unwrap_or_default();
    let states = poll_until("a result for every mailbox", ACTIVATED, async || {
        let users = users(demo).await?;
        let wanted = users.iter().filter(|user| !user["calendarAddress"].is_null());
        match wanted.clone().find(|user| !has_result(user)) {
            Some(open) => Ok(PollResult::NotYet(open.to_string())),
            None => Ok(PollResult::Done(wanted.cloned().collect::<Vec<_>>())),
        }
    })
    .await?;
    for user in &states {
        let expected = if is_at(user, &outsider) { "UNREACHABLE" } else { "ACTIVE" };
        let calendar = &user["calendar"];
        let fits = calendar["state"] == expected || (expected == "ACTIVE" && !demo.sees_provider());
        ensure(fits, || format!("{} is {calendar} and not {expected}", user["name"]))?;
    }
    ensure(states.iter().any(|user| is_at(user, &outsider)), || "nobody is out of reach".to_owned())?;
    Ok(states.into_iter().filter(|user| user["calendar"]["state"] == "ACTIVE").collect())
}

/// Waits until every room is active.
async fn rooms(demo: &Demo) -> Result<Vec<Room>> {
    let id = demo.state.made.integration.clone();
    let rooms = poll_until("a result for every room", ACTIVATED, async || {
        let read = demo.graph.query(ROOMS, json!({ "id": id })).await?;
        let rooms = list_at(&read, "/rooms/nodes")?;
        let open = rooms.iter().find(|room| room["connectedMailbox"]["state"] != "ACTIVE");
        Ok(match open {
            Some(open) => PollResult::NotYet(open.to_string()),
            None => PollResult::Done(rooms.iter().map(room).collect::<Result<Vec<_>>>()?),
        })
    })
    .await?;
    ensure(rooms.len() >= 3, || format!("there are {} rooms; three are needed", rooms.len()))?;
    Ok(rooms)
}

fn room(room: &Value) -> Result<Room> {
    let part = |pointer: &str| Ok::<_, Error>(string_at(room, pointer)?.to_owned());
    Ok(Room { id: part("/id")?, name: part("/name")?, address: part("/address")? })
}

async fn add_user(demo: &mut Demo) -> Result<String> {
    let newcomer = demo.state.made.newcomer.clone().ok_or_else(|| unexpected("there is nobody to add"))?;
    let listed = Listed { name: newcomer.name, address: newcomer.address };
    let made = ensure_users(demo, std::iter::once(&listed)).await?;
    demo.state.made.newcomer = made.into_iter().next();
    let user = poll_until("the activation of the new user", ACTIVATED, async || {
        let users = users(demo).await?;
        let user = users.into_iter().find(|user| is_at(user, &listed.address));
        Ok(match user {
            Some(user) if user["calendar"]["state"] == "ACTIVE" => PollResult::Done(user),
            other => PollResult::NotYet(other.map(|user| user.to_string()).unwrap_or_default()),
        })
    })
    .await?;
    let central = user["calendar"]["connectedMailbox"]["viaServiceAccount"] == true;
    ensure(central, || "the mailbox did not come through the service account".to_owned())?;
    Ok(format!("{} became ACTIVE through the service account", listed.name))
}
