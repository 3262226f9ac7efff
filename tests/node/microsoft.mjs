// Microsoft's own clients against the sandbox, with nothing changed but the base URL. Prints what was done, and at the
// end "ok".

import assert from "node:assert/strict";

import { ConfidentialClientApplication, CryptoProvider } from "@azure/msal-node";
import { BatchRequestContent, BatchResponseContent, Client, PageIterator } from "@microsoft/microsoft-graph-client";

const world = JSON.parse(process.env.MUSTER_TEST_WORLD);
const host = new URL(world.base).host;
const authority = `${world.base}/${world.tenant}`;
const address = (name) => `${name}@${world.domain}`;

const application = (clientSecret) =>
  new ConfidentialClientApplication({
    auth: { clientId: world.client, authority, knownAuthorities: [host], clientSecret },
  });

// What a person does in a browser: every page has one marked form, and submitting it goes on.
async function goOn(url) {
  let request = [url, {}];
  for (let step = 0; step < 8; step += 1) {
    const answer = await fetch(request[0], { ...request[1], redirect: "manual" });
    const location = answer.headers.get("location");
    if (location?.startsWith(world.redirect)) {
      return new URL(location).searchParams;
    }
    if (location) {
      request = [new URL(location, request[0]), {}];
      continue;
    }
    const page = await answer.text();
    const form = /<form method="post" action="([^"]*)" data-muster-next>([\s\S]*?)<\/form>/.exec(page);
    assert.ok(form, page);
    const fields = new URLSearchParams();
    for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
      const member = (name) => new RegExp(`${name}="([^"]*)"`).exec(input)?.[1] ?? "";
      if (member("type") !== "radio" || input.includes(" checked")) {
        fields.append(member("name"), member("value"));
      }
    }
    request = [new URL(form[1].replaceAll("&amp;", "&"), request[0]), { method: "POST", body: fields }];
  }
  throw new Error("the pages do not end");
}

const scopes = ["https://graph.microsoft.com/.default"];
const own = await application(world.secret).acquireTokenByClientCredential({ scopes });
assert.ok(own.accessToken && own.expiresOn > new Date());
console.log("msal: a token by client credentials");

await assert.rejects(application("another").acquireTokenByClientCredential({ scopes }), (error) => {
  assert.equal(error.errorCode, "invalid_client");
  assert.match(error.errorMessage, /AADSTS7000215/);
  return true;
});
console.log("msal: a wrong secret is refused");

const signingIn = application(world.secret);
const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
const asked = ["Calendars.ReadWrite", "User.Read", "offline_access", "openid", "profile"];
const place = await signingIn.getAuthCodeUrl({
  scopes: asked, redirectUri: world.redirect, codeChallenge: challenge, codeChallengeMethod: "S256", state: "s",
});
const back = await goOn(place);
assert.equal(back.get("state"), "s");
const signedIn = await signingIn.acquireTokenByCode({
  scopes: asked, redirectUri: world.redirect, code: back.get("code"), codeVerifier: verifier,
});
assert.equal(signedIn.tenantId, world.tenant);
const again = await signingIn.acquireTokenSilent({ account: signedIn.account, scopes: asked, forceRefresh: true });
assert.ok(again.accessToken && !again.fromCache);
console.log("msal: signed in by code with PKCE, and refreshed");

const graphOf = (token) =>
  Client.initWithMiddleware({
    baseUrl: world.base,
    customHosts: new Set([new URL(world.base).hostname, host]),
    authProvider: { getAccessToken: async () => token },
  });
const graph = graphOf(own.accessToken);
assert.equal((await graphOf(again.accessToken).api("/me").get()).id, signedIn.account.localAccountId);

const names = [];
const users = await graph.api("/users").select("id,mail,userPrincipalName").top(2).get();
await new PageIterator(graph, users, (user) => Boolean(names.push(user.mail))).iterate();
assert.equal(new Set(names).size, names.length);
assert.ok(names.length > 2 && names.includes(address("ada")));
console.log(`graph: ${names.length} users over pages`);

const rooms = await graph.api("/places/microsoft.graph.room").get();
const room = rooms.value[0].emailAddress;
const at = (hour) => ({ dateTime: `2026-12-01T${String(hour).padStart(2, "0")}:00:00`, timeZone: "UTC" });
const delta = (query) => graph.api(`/users/${address("ada")}/calendarView/delta${query}`);
const follow = async (first) => {
  const seen = [];
  const pages = new PageIterator(graph, first, (event) => Boolean(seen.push(event)));
  await pages.iterate();
  return { seen, link: pages.getDeltaLink() };
};
const window = "?startDateTime=2026-12-01T00:00:00Z&endDateTime=2026-12-02T00:00:00Z";
const before = await follow(await delta(window).get());

const event = await graph.api(`/users/${address("ada")}/calendar/events`).post({
  subject: "Review", start: at(9), end: at(10), transactionId: crypto.randomUUID(),
  attendees: [{ type: "resource", emailAddress: { address: room, name: "Room" } }],
});
assert.ok(event.id && event.iCalUId && event["@odata.etag"]);
const schedules = await graph.api(`/users/${address("ada")}/calendar/getSchedule`).post({
  schedules: [address("ada"), address("nobody")], startTime: at(8), endTime: at(12), availabilityViewInterval: 60,
});
assert.equal(schedules.value[0].availabilityView, "0200");
assert.equal(schedules.value[1].error.responseCode, "ErrorMailRecipientNotFound");
const path = `/users/${address("ada")}/events/${encodeURIComponent(event.id)}`;
const moved = await graph.api(path).header("If-Match", event["@odata.etag"]).patch({ start: at(11), end: at(12) });
assert.equal(moved.start.dateTime, "2026-12-01T11:00:00.0000000");
await assert.rejects(graph.api(path).header("If-Match", event["@odata.etag"]).patch({ subject: "Late" }), (error) => {
  assert.deepEqual([error.statusCode, error.code], [412, "ErrorIrresolvableConflict"]);
  return true;
});
const view = await graph.api(`/users/${address("ada")}/calendarView${window}`).get();
assert.ok(view.value.some((shown) => shown.id === event.id));
console.log("graph: an event written, moved, guarded by its etag, and seen as busy");

const after = await follow(await graph.api(before.link).get());
assert.deepEqual(after.seen.map((one) => one.id), [event.id]);
await graph.api(`${path}/cancel`).post({ comment: "Sorry" });
const gone = await follow(await graph.api(after.link).get());
assert.deepEqual(gone.seen, [{ id: event.id, "@removed": { reason: "deleted" } }]);
console.log("graph: delta followed over its links");

const batch = new BatchRequestContent([
  { id: "1", request: new Request(`${world.base}/users/${address("ada")}`, { method: "GET" }) },
  { id: "2", request: new Request(`${world.base}/users/${address("nobody")}`, { method: "GET" }) },
]);
const answers = new BatchResponseContent(await graph.api("/$batch").post(await batch.getContent()));
assert.deepEqual([answers.getResponseById("1").status, answers.getResponseById("2").status], [200, 404]);
console.log("graph: a batch");

await assert.rejects(graph.api(`/users/${address("nobody")}/calendar/events`).post({}), (error) => {
  assert.deepEqual([error.statusCode, error.code], [404, "ErrorInvalidUser"]);
  return true;
});
console.log("ok");
