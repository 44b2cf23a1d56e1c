import assert from "node:assert/strict";
import { generateKeyPairSync, hash, sign } from "node:crypto";
import { test } from "node:test";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { identitySchema, JwtAuthenticator, readHostAsserted } from "@cmcp/identity";
import type { Provision } from "@cmcp/provision";
import { Caller, callerDetail, principalFacts } from "./caller.ts";
import { Clock, TokenClock } from "../instance/clock.ts";
import { MAX_BOUND_TOKENS, Principals } from "./principals.ts";

const ISSUER = "https://login.example/";
const AUDIENCE = "https://gw.example/mcp";
const START = Date.UTC(2026, 10, 21);
const MEASURED = [
  { id: "default", workflows: ["default"] },
  { id: "desk", workflows: ["default", "settle"] },
  { id: "claims", workflows: ["intake", "payment"] },
];
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const IDENTITY = {
  resource: AUDIENCE,
  jwt: [
    {
      issuer: ISSUER,
      audience: [AUDIENCE],
      algorithms: ["EdDSA"],
      jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k" }] },
      clock_skew_seconds: 0,
      subjects: [
        { subject: "anna", principal: "desk" },
        { subject: "bert", principal: "desk", workflows: ["settle", "other"] },
        { subject: "dora", principal: "claims" },
        { subject: "emil", principal: "claims", workflows: ["payment", "payment"] },
        { subject: "frida", principal: "claims", workflows: ["default"] },
      ],
      any_subject: { prefix: "staff:", workflows: ["read"] },
      claims: { groups: { claim: "groups", kind: "texts" }, level: { claim: "level", kind: "integer" } },
    },
  ],
};

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function jwt(sub: string, claims: object = {}): string {
  const input = `${part({ alg: "EdDSA", typ: "at+jwt", kid: "k" })}.${part({ iss: ISSUER, aud: AUDIENCE, sub, exp: START / 1000 + 60, ...claims })}`;
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString("base64url")}`;
}

/** Another hash for each token, and one that the log gives to desk. */
const commit = (sha256: string): string => hash("sha256", sha256);
const TOKENS = { commit, bound: new Map([[commit(hash("sha256", "of the log")), "desk"]]) };

async function principals(
  identity: Record<string, unknown> = IDENTITY,
  provision: Partial<Provision> | null = {},
): Promise<{ who: Principals; at: (ms: number) => void; pass: (ms: number) => void }> {
  let wall = START;
  let monotonic = 0;
  const clock = new Clock({ wall: () => wall, monotonic: () => monotonic });
  const settings = identitySchema.parse(identity);
  const authenticator =
    settings.jwt.length === 0 ? null : await JwtAuthenticator.of(settings, () => clock.now().getTime());
  const who = new Principals(MEASURED, authenticator, TOKENS);
  const tokens = [
    { principal: "default", sha256: hash("sha256", "secret") },
    { principal: "desk", sha256: hash("sha256", "a.b.c") },
  ];
  if (provision !== null) {
    who.bind({ v: 1, tokens, ...provision });
    who.provision({ v: 1, tokens, ...provision });
  }
  return {
    who,
    at: (ms) => {
      wall = ms;
    },
    pass: (ms) => {
      monotonic += ms;
    },
  };
}

const enter = (who: Principals, token: string): Promise<Caller> => who.authenticate(`Bearer ${token}`, null);

test("nobody is authenticated before tokens are provisioned, not even with a JWT", async () => {
  const { who } = await principals(IDENTITY, null);
  for (const header of [null, "Bearer secret", `Bearer ${jwt("anna")}`])
    await assert.rejects(who.authenticate(header, null), { code: "NOT_PROVISIONED" });
});

test("a provisioned token may look like a JWT, and JWTs are accepted only if issuers are measured", async () => {
  const { who } = await principals();
  for (const [token, id, source] of [
    ["secret", "default", "bearer"],
    ["a.b.c", "desk", "bearer"],
    [jwt("anna"), "desk", "jwt"],
    [jwt("carl"), "staff:carl", "jwt"],
  ] as const) {
    const caller = await enter(who, token);
    assert.deepEqual([caller.principalId, caller.source], [id, source]);
  }
  await assert.rejects(enter((await principals({})).who, jwt("anna")), {
    code: "UNAUTHENTICATED",
    message: "the bearer token is missing or unknown",
  });
});

test("a JWT of a measured issuer is its subject's, whatever principal the host gives its hash to", async () => {
  const { who } = await principals(IDENTITY, {
    tokens: [{ principal: "default", sha256: hash("sha256", jwt("anna")) }],
  });
  const caller = await enter(who, jwt("anna"));
  assert.deepEqual([caller.principalId, caller.source], ["desk", "jwt"]);
});

test("a token belongs to one principal for the life of the instance, even if a provisioning omits it", async () => {
  const { who } = await principals({});
  const give = (...given: readonly (readonly [string, string])[]): void => {
    const message = {
      v: 1,
      tokens: given.map(([principal, token]) => ({ principal, sha256: hash("sha256", token) })),
    } as const;
    who.assertValid(message, false);
    who.bind(message);
    who.provision(message);
  };
  const rebound = { code: "TOKEN_REBOUND" } as const;
  assert.throws(() => give(["desk", "new"], ["desk", "secret"]), rebound);
  assert.equal((await enter(who, "secret")).principalId, "default", "nothing is changed");
  await assert.rejects(enter(who, "new"), { code: "UNAUTHENTICATED" });
  give(["desk", "a.b.c"]);
  assert.throws(() => give(["desk", "secret"]), rebound, "left out and given again");
  assert.throws(() => give(["default", "of the log"]), rebound, "by an earlier instance");
  give(["desk", "of the log"]);
  give(["default", "secret"], ["desk", "other"]);
  assert.equal((await enter(who, "secret")).principalId, "default");
});

test("a log takes a limited number of tokens", async () => {
  const { who } = await principals({}, null);
  const message = (from: number) =>
    ({
      v: 1,
      tokens: Array.from({ length: 4_000 }, (_, at) => ({
        principal: "desk",
        sha256: (from + at).toString(16).padStart(64, "0"),
      })),
    }) as const;
  for (let from = 0; from < MAX_BOUND_TOKENS; from += 4_000) who.bind(message(from));
  who.assertValid(message(0), false);
  assert.throws(() => who.assertValid(message(MAX_BOUND_TOKENS - 1), false), { code: "PROVISION_LIMIT_REACHED" });
});

test("a refusal says whether a token was sent at all", async () => {
  const { who } = await principals();
  const reason = async (header: string | null): Promise<unknown> =>
    await who.authenticate(header, null).then(
      () => assert.fail("let in"),
      (thrown: CmcpError) => [thrown.code, thrown.detail["reason"] === "missing"],
    );
  for (const header of [null, "", "Basic secret", "secret", "Bearers secret"])
    assert.deepEqual(await reason(header), ["UNAUTHENTICATED", true], String(header));
  for (const header of [
    "Bearer",
    "Bearer ",
    "Bearer secret x",
    "bearer wrong",
    `Bearer ${"x".repeat(8193)}`,
    `Bearer ${jwt("anna").slice(0, -4)}AAAA`,
  ])
    assert.deepEqual(await reason(header), ["UNAUTHENTICATED", false], header.slice(0, 20));
});

test("a token over the length limit is refused, even a provisioned one", async () => {
  const [longest, over] = ["y".repeat(8192), "y".repeat(8193)];
  const { who } = await principals(IDENTITY, {
    tokens: [longest, over].map((token) => ({ principal: "default", sha256: hash("sha256", token) })),
  });
  await enter(who, longest);
  await assert.rejects(enter(who, over), { code: "UNAUTHENTICATED" });
});

test("in development without tokens, a token that is sent must still be valid", async () => {
  const { who } = await principals(IDENTITY, { tokens: [], tokenless: true });
  assert.equal((await who.authenticate(null, null)).source, "tokenless");
  await assert.rejects(enter(who, "secret"), { code: "UNAUTHENTICATED" });
  assert.equal((await enter(who, jwt("anna"))).source, "jwt");
});

test("workflows are the principal's, narrowed by the subject's, and for any_subject only the subject's", async () => {
  const { who } = await principals();
  const may = async (token: string): Promise<boolean[]> => {
    const caller = await enter(who, token);
    return ["default", "settle", "other", "read"].map((workflow) => who.workflowsOf(caller).includes(workflow));
  };
  assert.deepEqual(await may("a.b.c"), [true, true, false, false]);
  assert.deepEqual(await may(jwt("anna")), [true, true, false, false]);
  assert.deepEqual(await may(jwt("bert")), [false, true, false, false]);
  assert.deepEqual(await may(jwt("carl")), [false, false, false, true]);
  assert.deepEqual(who.workflowsOf(new Caller({ principalId: "nobody", source: "bearer" }, null)), []);
});

test("a provisioned token may be for some of its principal's workflows alone", async () => {
  const desk = (token: string, workflows?: string[]): Provision["tokens"][number] => ({
    principal: "desk",
    sha256: hash("sha256", token),
    ...(workflows === undefined ? {} : { workflows }),
  });
  const { who } = await principals(IDENTITY, { tokens: [desk("all"), desk("one", ["settle"])] });
  const [all, one] = [await enter(who, "all"), await enter(who, "one")];
  assert.deepEqual([who.workflowsOf(all), who.unnamedWorkflow(all)], [["default", "settle"], "default"]);
  assert.deepEqual([who.workflowsOf(one), who.unnamedWorkflow(one)], [["settle"], "settle"]);

  // Streams of a token end when it is for other workflows, and go on when it is provisioned as it was.
  who.provision({ v: 1, tokens: [desk("all", ["settle"]), desk("one", ["settle"])] });
  assert.deepEqual([who.isStillValid(all), who.isStillValid(one)], [false, true]);

  const foreign: Provision = { v: 1, tokens: [desk("other", ["settle", "intake"])] };
  assert.throws(() => who.assertValid(foreign, false), { code: "PRINCIPAL_NOT_MEASURED" });
});

test("the scopes of a JWT narrow its workflows further, and choose for a request that names none", async () => {
  const [issuer] = IDENTITY.jwt;
  const scoped = { ...issuer, scope_workflows: { pay: ["settle", "payment"], see: ["default", "intake"] } };
  const { who } = await principals({ ...IDENTITY, jwt: [scoped] });
  const may = async (subject: string, scope: string): Promise<unknown[]> => {
    const caller = await enter(who, jwt(subject, { scope }));
    return [who.workflowsOf(caller), who.unnamedWorkflow(caller)];
  };
  assert.deepEqual(await may("anna", "pay"), [["settle"], "settle"]);
  assert.deepEqual(await may("anna", "see pay"), [["settle", "default"], "default"]);
  assert.deepEqual(await may("dora", "pay"), [["payment"], "payment"]);
  assert.deepEqual(await may("frida", "pay see"), [[], null], "neither its subject's nor its principal's");
  await assert.rejects(enter(who, jwt("anna")), { code: "SCOPE_INSUFFICIENT" });
});

test("a request without a workflow has the only one, else the default if its caller may use it, else none", async () => {
  const { who } = await principals();
  const unnamed = async (token: string): Promise<unknown[]> => {
    const caller = await enter(who, token);
    return [who.unnamedWorkflow(caller), who.listedWorkflows(caller)];
  };
  assert.deepEqual(await unnamed("secret"), ["default", ["default"]]);
  assert.deepEqual(await unnamed(jwt("anna")), ["default", ["default"]]);
  assert.deepEqual(await unnamed(jwt("bert")), ["settle", ["settle"]]);
  assert.deepEqual(await unnamed(jwt("carl")), ["read", ["read"]]);
  assert.deepEqual(await unnamed(jwt("dora")), [null, ["intake", "payment"]]);
  assert.deepEqual(await unnamed(jwt("emil")), ["payment", ["payment"]]);
  assert.deepEqual(await unnamed(jwt("frida")), [null, []]);
});

test("naming no workflow never gives one that the caller may not name", async () => {
  const { who } = await principals();
  for (const token of [
    "secret",
    "a.b.c",
    ...["anna", "bert", "carl", "dora", "emil", "frida"].map((sub) => jwt(sub)),
  ]) {
    const caller = await enter(who, token);
    const unnamed = who.unnamedWorkflow(caller);
    assert.ok(unnamed === null || who.workflowsOf(caller).includes(unnamed), token);
  }
});

test("a host that sets the clock back, or stops it, brings no expired token back", async () => {
  const { who, at, pass } = await principals();
  const minute = jwt("anna");
  await enter(who, minute);
  at(START + 60_000);
  await assert.rejects(enter(who, minute), { code: "UNAUTHENTICATED" });
  for (const wall of [START, 0, Number.NaN]) {
    at(wall);
    await assert.rejects(enter(who, minute), { code: "UNAUTHENTICATED" }, String(wall));
  }
  const later = jwt("anna", { exp: START / 1000 + 120 });
  await enter(who, later);
  pass(60_000);
  await assert.rejects(enter(who, later), { code: "UNAUTHENTICATED" });
});

test("a JWT is valid until it expires, whatever the host's clock says, and a token until a provision message omits it", async () => {
  const { who, at } = await principals(IDENTITY, {
    tokens: [
      { principal: "desk", sha256: hash("sha256", "secret") },
      { principal: "desk", sha256: hash("sha256", "a.b.c") },
    ],
    tokenless: true,
  });
  const [minute, kept, moved, nobody] = [
    await enter(who, jwt("anna")),
    await enter(who, "secret"),
    await enter(who, "a.b.c"),
    await who.authenticate(null, null),
  ];
  const counting = (): boolean[] => [minute, kept, moved, nobody].map((caller) => who.isStillValid(caller));
  at(START + 59_999);
  assert.deepEqual(counting(), [true, true, true, true]);
  at(START + 60_000);
  assert.deepEqual(counting(), [false, true, true, true]);
  at(START);
  who.provision({
    v: 1,
    tokens: [
      { principal: "desk", sha256: hash("sha256", "secret") },
      { principal: "default", sha256: hash("sha256", "a.b.c") },
    ],
  });
  assert.deepEqual(counting(), [false, true, false, false]);
  who.provision({ v: 1, tokens: [] });
  assert.deepEqual(counting(), [false, false, false, false]);
});

test("a clock that is set back before the start goes back no further than the date of the latest policy", () => {
  let wall = 0;
  let authored = "2026-11-01T09:00:00Z";
  const clock = new TokenClock(new Clock({ wall: () => wall, monotonic: () => 0 }), () => ({
    bundle: { manifest: { authored_at: authored } },
  }));
  assert.equal(clock.now(), Date.UTC(2026, 10, 1, 9));
  for (authored of ["2026-10-01T00:00:00Z", "yesterday", ""])
    assert.equal(clock.now(), Date.UTC(2026, 10, 1, 9), authored);
  authored = "2026-11-20T01:00:00+01:00";
  assert.equal(clock.now(), Date.UTC(2026, 10, 20));
  wall = START;
  assert.equal(clock.now(), START);
});

test("rules and the record see the caller's identity, with a claim's members one by one", async () => {
  const { who } = await principals();
  const caller = await enter(who, jwt("anna", { groups: ["a", "b=c"], level: 3, secret: "x" }));
  assert.deepEqual(principalFacts(caller), {
    id: "desk",
    identitySource: "jwt",
    identityClaims: ["groups=a", "groups=b=c", "level=3"],
    identityIssuer: ISSUER,
    userIdentity: "anna",
  });
  assert.deepEqual(callerDetail(caller), { identity_source: "jwt", identity_issuer: ISSUER, identity_subject: "anna" });
  const bearer = await enter(who, "secret");
  assert.deepEqual(
    [principalFacts(bearer), callerDetail(bearer)],
    [{ id: "default", identitySource: "bearer", identityClaims: [] }, { identity_source: "bearer" }],
  );
});

test("what the host asserts is separate from the verified identity and does not change it", async () => {
  const { who } = await principals();
  const spiffeId = "spiffe://bank.example/desk";
  const word = readHostAsserted(untrusted(spiffeId), { trust_domains: ["bank.example"] });
  for (const token of ["secret", jwt("anna")]) {
    const [without, beside] = [await enter(who, token), await who.authenticate(`Bearer ${token}`, word)];
    assert.deepEqual(principalFacts(beside), { ...principalFacts(without), hostAssertedIdentity: spiffeId });
    assert.deepEqual(callerDetail(beside), {
      ...callerDetail(without),
      host_asserted_source: "host-asserted",
      host_asserted_spiffe_id: spiffeId,
      host_asserted_trust_domain: "bank.example",
    });
  }
  await assert.rejects(who.authenticate(null, word), { code: "UNAUTHENTICATED" });
});
