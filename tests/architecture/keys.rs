//! Whose everything is that outlives a request: limits, caches, maps in memory and keys in Redis.
//!
//! What somebody types - a server, a user name, an organisation - must not lead to what belongs to somebody else. So a
//! key begins with its owner, and every place that keeps something is listed here with it. A new one fails this test
//! until it is listed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// How a key begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// With the tenant, one of its integrations or one consent: ids of ours that nobody chooses.
    Ours,
    /// It is a digest of the very thing that is kept: whoever has the key has the thing.
    Content,
    /// It belongs to the installation, and nothing that anybody sends is in it.
    Installation,
    /// It is a [`lanes::Key`], which cannot be made without an owner.
    Key,
    /// With `Session::scope`, which belongs to one integration and one consent.
    Scope,
}

/// Every place in the sources that keeps something under a key, by file: the declaration, and whose the key is.
const KEPT: &[(&str, &str, Owner)] = &[
    ("api/src/transport/validate/mod.rs", "kept: Cache<[u8; 32], Arc<CheckedDocument>>", Owner::Content),
    // A caller: a user, a tenant or an address, after authentication.
    ("api/src/holder_counts.rs", "struct HolderCounts<H>(Arc<Mutex<HashMap<H, usize>>>)", Owner::Ours),
    ("lanes/src/fanout/hub.rs", "topics: Mutex<HashMap<Topic, Vec<Arc<Mailbox>>>>", Owner::Ours),
    ("lanes/src/hints/redis.rs", "unsettled: Mutex<HashMap<Id<ids::Run>, Vec<StreamEntry>>>", Owner::Ours),
    ("lanes/src/quotas/in_process.rs", "full_at: Mutex<HashMap<Key, Instant>>", Owner::Key),
    ("lanes/src/limits/gate.rs", "gates: Mutex<HashMap<String, Arc<Gate>>>", Owner::Key),
    // Places inside a limit, by their random names.
    ("lanes/src/limits/redis.rs", "struct HeldPermits(Mutex<HashMap<String, String>>)", Owner::Key),
    (
        "services/src/grants/broker.rs",
        "slots: Arc<std::sync::Mutex<BTreeMap<Id<ids::Grant>, Slot>>>",
        Owner::Ours,
    ),
    ("services/src/keys/signing.rs", "current: Cache<(), SigningKey>", Owner::Installation),
    (
        "services/src/keys/signing.rs",
        "verifying: Cache<Id<ids::SigningKey>, (DecodingKey, Option<Timestamp>)>",
        Owner::Installation,
    ),
    // The digest of a credential with the tenant that the request names: whoever presents it gets its answer.
    ("services/src/access/identities.rs", "known: Cache<CredentialDigest, CachedIdentity>", Owner::Content),
    (
        "services/src/access/identities.rs",
        "familiar: Cache<CredentialDigest, CachedIdentity>",
        Owner::Content,
    ),
    ("services/src/keys/signing.rs", "data_keys: Cache<Id<ids::Tenant>, KeyRing>", Owner::Ours),
    ("services/src/keyed_semaphores.rs", "all: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>", Owner::Ours),
    (
        "providers/src/google/tokens.rs",
        "struct TokenCache(Cache<(Arc<str>, String, String, Scope), Slot>)",
        Owner::Scope,
    ),
    // An issuer's registration, which belongs to one tenant.
    ("providers/src/openid/mod.rs", "kept: Cache<Uuid, Arc<Mutex<CachedMetadata>>>", Owner::Ours),
    ("providers/src/exchange/mod.rs", "servers: Cache<String, Url>", Owner::Scope),
    ("providers/src/exchange/mod.rs", "rooms: Cache<String, Arc<Vec<RoomInfo>>>", Owner::Scope),
    ("providers/src/caldav/mod.rs", "places: Cache<String, Arc<LocatedMailbox>>", Owner::Scope),
    ("providers/src/caldav/mod.rs", "accounts: Cache<String, Arc<Account>>", Owner::Scope),
    ("providers/src/caldav/mod.rs", "lists: Cache<String, Arc<Cached<PrincipalListing>>>", Owner::Scope),
    ("providers/src/caldav/mod.rs", "homes: Cache<String, Arc<Cached<Vec<Collection>>>>", Owner::Scope),
    ("providers/src/caldav/mod.rs", "aliases: Cache<String, Arc<Option<PrincipalAlias>>>", Owner::Scope),
    ("providers/src/caldav/mod.rs", "hidden: Cache<String, Arc<Vec<url::Url>>>", Owner::Scope),
    ("providers/src/caldav/auth.rs", "refused: Cache<String, ()>", Owner::Scope),
    ("providers/src/caldav/auth.rs", "handshakes: Cache<String, Arc<DigestChallenge>>", Owner::Scope),
];

/// The entries in Redis, as the sources write their keys.
const IN_REDIS: &[(&str, &str, Owner)] = &[
    ("lanes/src/fanout/redis.rs", "{{{prefix}:events}}", Owner::Installation),
    ("lanes/src/hints/redis.rs", "{{{prefix}:hints}}:{}", Owner::Installation),
    ("lanes/src/limits/redis.rs", "{{{}:limit:{key}}}:{what}", Owner::Key),
    ("lanes/src/quotas/redis.rs", "{{{}:quota}}:{}", Owner::Key),
];

/// The sources that go into the product, without their tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = [
        "api",
        "domain",
        "entity",
        "http",
        "providers",
        "lanes",
        "runs",
        "engine",
        "services",
        "workflows",
        ".",
    ];
    let mut files = Vec::new();
    for folder in crates {
        collect(&root.join(folder).join("src"), &mut files);
    }
    let named = files.into_iter().filter(|path| !path.ends_with("tests.rs") && !path.ends_with("testing.rs"));
    let text = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace("./", "");
        let text = fs::read_to_string(&path).unwrap();
        (name, text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned())
    };
    named.map(text).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The lines of a source that declare something kept under keys.
fn declared(text: &str) -> Vec<String> {
    let kept =
        ["Cache<", "Mutex<HashMap<", "Mutex<BTreeMap<", "RwLock<HashMap<", "RwLock<BTreeMap<", "DashMap<"];
    let is_one = |line: &str| {
        let is_field = line.contains(": ") || line.contains("struct ") || line.contains("static ");
        is_field
            && kept.iter().any(|word| line.contains(word))
            && !line.contains("fn ")
            && !line.contains("&Cache<")
            && !line.starts_with("//")
    };
    text.lines().map(str::trim).filter(|line| is_one(line)).map(tidy).collect()
}

/// A declaration without its visibility and its end.
fn tidy(line: &str) -> String {
    let mut line = line.trim_end_matches([',', ';']);
    for visibility in ["pub(crate) ", "pub(super) ", "pub "] {
        line = line.strip_prefix(visibility).unwrap_or(line);
    }
    line.to_owned()
}

/// The keys in a source of the only crate that speaks to Redis: texts with a hash tag.
fn hashed(text: &str) -> Vec<String> {
    let between = |line: &str| Some(line.split_once("\"{{")?.1.split_once('"')?.0.to_owned());
    text.lines().filter_map(between).map(|rest| format!("{{{{{rest}")).collect()
}

/// Compares what the sources have with what is listed.
fn compare(found: Vec<(String, String)>, listed: &[(&str, &str, Owner)]) {
    let mut found: Vec<(String, String)> = found;
    found.sort();
    let mut listed: Vec<(String, String)> =
        listed.iter().map(|(file, what, _)| ((*file).to_owned(), (*what).to_owned())).collect();
    listed.sort();
    assert_eq!(found, listed, "what is kept has to be listed with whose it is, and nothing else");
}

#[test]
fn whatever_is_kept_in_memory_is_listed_with_whose_it_is() {
    let found: Vec<_> = sources()
        .into_iter()
        .flat_map(|(file, text)| declared(&text).into_iter().map(move |what| (file.clone(), what)))
        .collect();
    compare(found, KEPT);
}

#[test]
fn every_key_in_redis_is_listed_with_whose_it_is() {
    let lanes = sources().into_iter().filter(|(file, _)| file.starts_with("lanes/"));
    let found: Vec<_> = lanes
        .flat_map(|(file, text)| hashed(&text).into_iter().map(move |what| (file.clone(), what)))
        .collect();
    compare(found, IN_REDIS);
}

/// A connector has nothing but its session to tell owners by, so the text that makes a key names its scope.
#[test]
fn what_connectors_keep_begins_with_the_scope_of_its_session() {
    let makers = [
        ("providers/src/caldav/transport.rs", "fn cache_key("),
        ("providers/src/caldav/auth.rs", "fn credential_key("),
        ("providers/src/exchange/endpoint.rs", "let key ="),
        ("providers/src/exchange/rooms.rs", "fn rooms_key"),
        ("providers/src/google/request.rs", ".token_for_subject("),
    ];
    let sources: BTreeMap<String, String> = sources().into_iter().collect();
    for (file, maker) in makers {
        let text = &sources[file];
        let at = text.find(maker).unwrap_or_else(|| panic!("{file} no longer has {maker}"));
        let body: String = text[at..].lines().take(8).collect();
        assert!(body.contains("session.scope"), "{file}: {body}");
    }
}

/// Limits take a [`lanes::Key`], which the compiler sees to; whoever makes one is listed, so that a key of an
/// organisation is made where its binding was read, and nowhere else.
#[test]
fn keys_of_limits_are_made_where_their_owner_is_known() {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for (file, text) in sources() {
        let count = text.matches("Key::of_").count();
        if count > 0 && !file.starts_with("lanes/") {
            made.insert(file, count);
        }
    }
    let known =
        [("services/src/grants.rs", 2), ("services/src/quotas.rs", 5), ("services/src/sign_in/mod.rs", 1)];
    assert_eq!(made, BTreeMap::from(known.map(|(file, count)| (file.to_owned(), count))));
}

#[test]
fn a_declaration_that_is_not_listed_is_found() {
    let text = "struct Seen {\n    pub(crate) by_name: Cache<String, Url>,\n}\nstruct Map(Mutex<HashMap<String, u8>>);\n";
    assert_eq!(declared(text), ["by_name: Cache<String, Url>", "struct Map(Mutex<HashMap<String, u8>>)"]);
    assert_eq!(hashed("format!(\"{{{prefix}:{typed}}}\")"), ["{{{prefix}:{typed}}}"]);
}
