import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { loadCatalog } from "../load.ts";
import { PRODUCTION, document, named } from "../test-support.ts";
import { newPublisher, recordMembers, signRecord } from "../testing/provenance.ts";
import { isListOf } from "./provenance.ts";
import { requireProvenance } from "./record.ts";

const SPKI = `sha256:${"ab".repeat(32)}`;
const URL = "https://ledger.bank.example:8443/mcp";
const TOOLS: readonly JsonObject[] = [
  { name: "write", description: "Writes.", inputSchema: { type: "object" } },
  { name: "read", description: "Reads Grüße 😀.", inputSchema: { type: "object", maximum: 3 }, title: "Read" },
];
const ENDPOINT = { endpoint: { url: URL, spki_sha256: SPKI } };
const publisher = newPublisher();
const members = recordMembers(ENDPOINT, TOOLS);

const load = (record: JsonObject, key: JsonObject = publisher.jwk, rest: JsonObject = {}) =>
  loadCatalog(
    document({ servers: [named("ledger", { provenance: { record, publisher_jwk: key }, ...rest })] }),
    PRODUCTION,
  ).servers;
const refused = (
  record: JsonObject,
  message: RegExp,
  {
    key = publisher.jwk,
    rest = {},
    code = "CATALOG_INVALID",
  }: { key?: JsonObject; rest?: JsonObject; code?: string } = {},
): void => assert.throws(() => load(record, key, rest), { code, message });

test("a record that the named key signed about this server is read", () => {
  for (const kind of ["publisher-asserted", "observer-attested"]) {
    const [server] = load(signRecord(publisher, { ...members, kind }), { ...publisher.jwk, kid: "k", use: "sig" });
    assert.deepEqual(
      [server?.settings?.provenance?.kind, server?.settings?.provenance?.publisher],
      [kind, "did:web:acme.example"],
    );
  }
});

test("a record of any other key, or that was changed, is refused", () => {
  const signed = signRecord(publisher, members);
  const other = newPublisher();
  refused(signed, /another key than publisher_jwk/, { key: other.jwk });
  refused(signRecord(other, members), /another key than publisher_jwk/);
  // The key in the record is not what it is checked under.
  refused({ ...signRecord(other, members), cnf: { jwk: publisher.jwk } }, /does not verify/);
  refused({ ...signed, signature: "" }, /does not verify/);
  refused(signed, /not an Ed25519 key/, { key: { ...publisher.jwk, x: "AAAA" } });
  for (const [name, value] of Object.entries({
    kind: "observer-attested",
    issued_at: 1_760_000_001,
    publisher: "did:web:other.example",
    tool_catalog: { ...(members["tool_catalog"] as JsonObject), tool_count: 3 },
  }))
    refused({ ...signed, [name]: value }, /does not verify/);
});

test("a record that is malformed, or about another server, is refused", () => {
  const { attestation: _, ...incomplete } = members;
  const cases: readonly (readonly [JsonObject, RegExp])[] = [
    [{ ...members, format: "agentrust-io/mcp-server-provenance/2" }, /format/],
    [{ ...members, publisher: "Acme" }, /publisher/],
    [{ ...members, publisher: "did:web:acme.example\n" }, /publisher/],
    [{ ...members, attestation: {} }, /attestation/],
    [incomplete, /attestation/],
    [{ ...members, score: 10 }, /score/],
    [{ ...members, issued_at: -1 }, /issued_at/],
    [{ ...members, identity: {} }, /neither/],
    [{ ...members, identity: { endpoint: { url: URL } } }, /spki_sha256/],
    [recordMembers({ endpoint: { url: "https://other.example/mcp", spki_sha256: SPKI } }, TOOLS), /another url/],
    [recordMembers({ endpoint: { url: URL, spki_sha256: `sha256:${"0".repeat(64)}` } }, TOOLS), /another key than tls/],
    [recordMembers({ artifact: { package: "pkg:npm/a@1", digest: SPKI } }, TOOLS), /no endpoint/],
  ];
  for (const [record, message] of cases) refused(signRecord(publisher, record), message);
  refused(signRecord(publisher, { ...members, kind: "tee-attested" }), /tee-attested/, {
    code: "CONFIG_NOT_SUPPORTED",
  });
  const webpki = { trust: "webpki", tls_fingerprint: `SHA256:${"A".repeat(43)}=` };
  refused(signRecord(publisher, members), /pinned/, { rest: webpki });
});

test("a stdio server is held to the digest of its files", () => {
  const spawn = { command: "node", measure_target: "/srv/ledger", binary_digest: SPKI };
  const artifact = { package: "pkg:npm/ledger@1.0.0", digest: SPKI };
  const stdio = (record: JsonObject) =>
    loadCatalog(
      document({
        servers: [{ name: "ledger", transport: "stdio", spawn, provenance: { record, publisher_jwk: publisher.jwk } }],
      }),
      PRODUCTION,
    ).servers[0]?.settings?.provenance?.kind;
  assert.equal(stdio(signRecord(publisher, recordMembers({ artifact }, TOOLS))), "publisher-asserted");
  const others = { ...artifact, digest: `sha256:${"0".repeat(64)}` };
  for (const [identity, message] of [
    [{ artifact: others }, /not the server's binary_digest/],
    [ENDPOINT, /no artifact/],
  ] as const)
    assert.throws(() => stdio(signRecord(publisher, recordMembers(identity, TOOLS))), {
      code: "CATALOG_INVALID",
      message,
    });
});

test("a live list is the record's in any order, and with any change it is another server's", () => {
  const [server] = load(signRecord(publisher, members));
  const provenance = server?.settings?.provenance ?? assert.fail();
  assert.ok(isListOf(provenance, TOOLS));
  fc.assert(fc.property(fc.shuffledSubarray([...TOOLS], { minLength: 2 }), (list) => isListOf(provenance, list)));
  const [first = {}, second = {}] = TOOLS;
  for (const list of [
    [],
    [first],
    [first, second, second],
    [first, { ...second, name: "Read" }],
    [first, { ...second, description: "Reads and mails." }],
    [first, { ...second, inputSchema: { type: "object" } }],
    [first, { ...second, inputSchema: { type: "object", maximum: 3.5 } }],
    [first, { ...second, name: 1 }],
    [first, { ...second, inputSchema: "object" }],
  ])
    assert.ok(!isListOf(provenance, list as JsonObject[]), JSON.stringify(list));
});

test("a floor refuses the catalog where a server has no record, or a weaker one", () => {
  const asserted = load(signRecord(publisher, members));
  const observed = load(signRecord(publisher, { ...members, kind: "observer-attested" }));
  const none = loadCatalog(document(), PRODUCTION).servers;
  for (const servers of [asserted, observed, none]) requireProvenance(servers, undefined);
  for (const servers of [asserted, observed]) requireProvenance(servers, "publisher-asserted");
  requireProvenance(observed, "observer-attested");
  const refuses = (servers: typeof none, required: "publisher-asserted" | "observer-attested"): void =>
    assert.throws(() => requireProvenance(servers, required), { code: "CATALOG_INVALID", message: /ledger/ });
  refuses(none, "publisher-asserted");
  refuses(none, "observer-attested");
  refuses(asserted, "observer-attested");
});
