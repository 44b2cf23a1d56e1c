import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { toBase64Url, untrusted, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { catalogHash, definitionHash, loadCatalog, type Catalog } from "@cmcp/catalog";
import { catalogVersionInput } from "@cmcp/catalog/version";
import { buildReload } from "@cmcp/launch";
import { Vocabulary } from "@cmcp/session";
import { policyStub } from "../testing/calls.ts";
import { ActiveRules } from "./active-rules.ts";
import { NextCatalogs, type NextCatalogTerms } from "./next-catalog.ts";
import { needsClientCertificate, needsClientKey, needsPublicOrigin } from "./server-needs.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const KEY = { id: "alice", ed25519: publicKey.export({ format: "jwk" }).x ?? "" };
const DEFINITION: JsonObject = { description: "Reads.", input_schema: { type: "object" } };

function documentOf(name: string, server: JsonObject, named: JsonObject = {}): JsonObject {
  const entry = {
    tool_name: name,
    server: { display_name: name, ...server },
    approved_definition: DEFINITION,
    definition_hash: definitionHash(DEFINITION),
    compliance_domain: "public",
    requires_baa: false,
    sensitivity_level: "public",
    added_at: "2026-01-01T00:00:00Z",
    approved_by: "test@example.org",
  };
  const { url } = server;
  return { entries: [entry], servers: url === undefined ? [] : [{ name, url, ...named }] };
}
const remote = (name: string, named: JsonObject = {}): JsonObject =>
  documentOf(name, { url: `http://${name}.example/mcp`, transport: "streamable-http" }, named);
const local = (name: string, args: readonly string[] = []): JsonObject =>
  documentOf(name, { transport: "stdio", spawn: { command: "node", args: [...args] } });

const load = (raw: JsonValue): Catalog => loadCatalog(raw, { developmentMode: true, vocabulary: new Vocabulary() });

/** What takes a catalog after this first one, approved by the one key. */
function after(first: JsonObject, terms: Partial<NextCatalogTerms> = {}) {
  const catalog = load(first);
  const catalogs = new NextCatalogs({
    approval: { keys: [KEY], needed: 1 },
    first: catalog,
    load,
    lacks: () => null,
    ...terms,
  });
  return (document: JsonObject) => {
    const said = { version: 1, catalog_hash: catalogHash(document), previous_catalog_hash: catalog.hash };
    const signature = toBase64Url(sign(null, catalogVersionInput(said, KEY.id), privateKey));
    const versions = { v: 1, versions: [{ ...said, approvals: [{ key_id: KEY.id, signature }] }] };
    return catalogs.accept({ document, versions }, { catalog, version: null });
  };
}

test("an approved catalog of other network servers is taken, with its version", () => {
  const next = remote("later");
  const { catalog, version } = after(remote("first"))(next);
  assert.deepEqual([catalog.hash, version], [catalogHash(next), 1]);
});

test("what only a start checks or makes needs a restart: files of stdio servers, credentials, and what the instance was not started with", () => {
  const restart = { code: "CATALOG_RESTART_REQUIRED" } as const;
  assert.equal(after(local("a"))({ ...local("a"), ...remote("b") }).version, 1, "a stdio server may go");
  assert.throws(() => after(remote("a"))(local("b")), { ...restart, message: /stdio server b/ });
  assert.throws(() => after(local("a"))(local("a", ["other.js"])), { ...restart, message: /stdio server a/ });
  const withToken = remote("a", { credential: "token" });
  assert.throws(() => after(remote("a"))(withToken), { ...restart, message: /credential token/ });
  assert.equal(after(withToken)(remote("b", { credential: "token" })).version, 1);
  assert.throws(() => after(remote("a"), { lacks: () => "no certificate" })(remote("b")), {
    ...restart,
    message: "no certificate",
  });
});

test("a catalog is not loaded before its approvals are verified", () => {
  const taken = after(remote("a"), {
    approval: { keys: [KEY], needed: 2 },
    load: () => assert.fail("it was loaded"),
  });
  assert.throws(() => taken(remote("b")), { code: "CATALOG_APPROVALS_MISSING" });
});

test("a certificate of the instance is needed where a server's settings say so, and a key and an origin where one has tokens", () => {
  const plain = load(remote("a"));
  assert.deepEqual(
    [needsClientCertificate(plain), needsClientKey(plain), needsPublicOrigin(plain)],
    [false, false, false],
  );
  const pin = { tls_fingerprint: `SHA256:${Buffer.alloc(32, 1).toString("base64")}` };
  const url = "https://a.example/mcp";
  const secured = documentOf("a", { url, transport: "streamable-http", ...pin }, { ...pin, client_certificate: true });
  assert.ok(needsClientCertificate(load(secured)));
});

test("a launch document that names no catalog keys allows no other catalog, whatever the host sends", async () => {
  const rules = new ActiveRules(
    { policy: policyStub(), catalog: load(remote("a")) },
    { signingKey: null, reloadable: false, workerUrl: new URL("file:///none"), hasDetectors: true, catalogs: null },
  );
  const nothing = (): never => assert.fail("nothing of a refused catalog is acted on");
  const ports = {
    journal: { assertWritable: nothing },
    sessions: { openSessions: nothing, scheduleClose: nothing },
    recorder: { noteInAll: nothing },
    report: nothing,
    installed: nothing,
  };
  const message = buildReload({ catalog: { document: remote("b"), versions: { v: 1, versions: [] } } });
  await assert.rejects(rules.reload(ports, untrusted(message)), { code: "NOT_SUPPORTED" });
});
