import assert from "node:assert/strict";
import { test } from "node:test";
import { identitySchema } from "@cmcp/identity";
import { clientDocument, consentAnswer } from "./consents.ts";

const CALLBACK = new URL("https://gateway.example/oauth/callback?code=the-code&state=the-state");

test("a browser that comes back goes on, or is told that it is done; nothing of its address is shown or passed on", async () => {
  const taken: string[] = [];
  const answering = (next: string | null): { complete: (query: string) => Promise<string | null> } => ({
    complete: async (query) => {
      taken.push(query);
      return next;
    },
  });
  const on = await consentAnswer(answering("https://login.example/authorize?state=2"), CALLBACK);
  assert.deepEqual(
    [on.status, on.headers["location"], on.headers["referrer-policy"], on.body],
    [303, "https://login.example/authorize?state=2", "no-referrer", ""],
  );
  const done = await consentAnswer(answering(null), CALLBACK);
  assert.equal(done.status, 200);
  assert.ok(typeof done.body === "string" && !done.body.includes("the-"));
  assert.deepEqual(taken, ["code=the-code&state=the-state", "code=the-code&state=the-state"]);
});

test("the client metadata document names its own URL, and is there where the gateway has a public one", () => {
  const identity = identitySchema.parse({ resource: "https://gateway.example/mcp" });
  const body = clientDocument(identity, "GET", "/oauth/client")?.body;
  assert.ok(typeof body === "string");
  const document = JSON.parse(body) as Record<string, unknown>;
  assert.equal(document["client_id"], "https://gateway.example/oauth/client");
  assert.deepEqual(document["redirect_uris"], ["https://gateway.example/oauth/callback"]);
  assert.deepEqual(document["grant_types"], ["authorization_code", "refresh_token"]);
  assert.equal(clientDocument(identity, "GET", "/oauth/other"), null);
  assert.equal(clientDocument(identitySchema.parse({}), "GET", "/oauth/client"), null);
  assert.throws(() => clientDocument(identity, "POST", "/oauth/client"), { code: "METHOD_NOT_ALLOWED" });
});
