import assert from "node:assert/strict";
import { test } from "node:test";
import { identitySchema } from "../schema.ts";
import { authenticator, ES256, refused } from "../testing/authenticator.ts";
import { goodClaims, settings, token } from "../testing/issuer.ts";

const SCOPES = { read: ["default"], "mcp:pay": ["settle", "refund"] };
const ALL = { scope_workflows: SCOPES };
const LISTED = {
  ...ALL,
  subjects: [{ subject: "desk-7", principal: "trading-desk", workflows: ["settle", "default", "close"] }],
};
const ANY = { ...ALL, subjects: [], any_subject: { prefix: "staff:", workflows: ["settle"] } };

async function workflows(rest: Record<string, unknown>, claims: object): Promise<readonly string[] | null> {
  const jwt = await authenticator([ES256], rest);
  return (await jwt.authenticate(token(ES256, goodClaims({ ...claims })))).workflows;
}

test("a token has the workflows of its scopes, of those that its subject may use", async () => {
  assert.deepEqual(await workflows(ALL, { scope: "read" }), ["default"]);
  assert.deepEqual(await workflows(ALL, { scope: "openid mcp:pay read" }), ["default", "settle", "refund"]);
  assert.deepEqual(await workflows(LISTED, { scope: "mcp:pay" }), ["settle"]);
  assert.deepEqual(await workflows(LISTED, { scope: "mcp:pay read" }), ["settle", "default"]);
  assert.deepEqual(await workflows(ANY, { scope: "read mcp:pay" }), ["settle"]);
  assert.deepEqual(await workflows(ANY, { scope: "read" }), [], "its subject may use no workflow of its scopes");
  assert.deepEqual(await workflows({}, { scope: "read" }), null, "scopes say nothing where none is configured");
});

test("issuers that say scp instead are understood, and scope counts where there are both", async () => {
  assert.deepEqual(await workflows(ALL, { scp: "read" }), ["default"]);
  assert.deepEqual(await workflows(ALL, { scp: ["mcp:pay"] }), ["settle", "refund"]);
  assert.deepEqual(await workflows(ALL, { scope: "read", scp: "mcp:pay" }), ["default"]);
});

test("a token without a scope that gives a workflow is refused, with the scopes that would", async () => {
  for (const scope of [undefined, "", "READ", "read:x", "xread", "read,mcp:pay", "constructor", "__proto__"])
    await assert.rejects(
      workflows(ALL, { scope }),
      { code: "SCOPE_INSUFFICIENT", detail: { scopes: "read mcp:pay" } },
      String(scope),
    );
});

test("scopes of another form are refused", async () => {
  const jwt = await authenticator([ES256], ALL);
  for (const scope of [5, true, { read: true }, ["read", 5], [["read"]]])
    await refused(jwt, token(ES256, goodClaims({ scope })), "scope");
});

test("the map of scopes is held to its form", () => {
  const accepts = (scopes: object): boolean =>
    identitySchema.safeParse({
      ...settings([ES256]),
      jwt: [{ ...settings([ES256]).jwt[0], scope_workflows: scopes }],
    }).success;
  assert.equal(accepts(SCOPES), true);
  for (const wrong of [{}, { read: [] }, { "a b": ["w"] }, { 'a"': ["w"] }, { read: ["a b"] }, { "": ["w"] }])
    assert.equal(accepts(wrong), false, JSON.stringify(wrong));
  const many = (count: number): object =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`scope-${at}`, ["w"]]));
  assert.deepEqual([accepts(many(64)), accepts(many(65))], [true, false]);
});
