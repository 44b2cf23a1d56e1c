import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError, type ErrorCode, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { isCallable, requireCallable } from "./callable.ts";
import { MAX_OF_SERVER } from "./limits.ts";
import { definitionHash } from "./hashes.ts";
import { loadCatalog } from "./load.ts";
import type { CatalogOptions } from "./options.ts";
import { DEVELOPMENT, LEDGER, NOTE_DEFINITION, PIN, PLACEHOLDER, PRODUCTION, entry, server } from "./test-support.ts";
import type { CatalogTool } from "./tool.ts";
import { actionName } from "./tool-name.ts";

function refused(raw: JsonValue, code: ErrorCode, message: RegExp, options: CatalogOptions = PRODUCTION): void {
  assert.throws(
    () => loadCatalog(raw, options),
    (thrown) => {
      assert.ok(thrown instanceof CmcpError);
      assert.equal(thrown.code, code);
      assert.match(thrown.message, message);
      return true;
    },
  );
}

function only(raw: JsonObject, options = PRODUCTION): CatalogTool {
  const [tool] = loadCatalog([raw], options).tools.values();
  assert.ok(tool !== undefined);
  return tool;
}

void test("an input schema of its own may close the approved one and nothing else", () => {
  const schema = NOTE_DEFINITION.input_schema as JsonObject;
  const closed = { ...schema, additionalProperties: false };
  assert.deepEqual(only(entry("post_note", { input_schema: closed })).inputSchema, closed);
  for (const other of [{ ...closed, properties: {} }, { ...closed, required: ["text"] }, { type: "object" }])
    refused([entry("post_note", { input_schema: other })], "CATALOG_INVALID", /input_schema must be that of/);
  refused(
    [entry("post_note", { input_schema: closed, additional: "allow" })],
    "CATALOG_INVALID",
    /closes what `additional: allow` leaves open/,
  );
});

void test("a tool carries what its entry says", () => {
  const catalog = loadCatalog([entry("post_note"), LEDGER], PRODUCTION);
  const ledger = catalog.tools.get("ledger.read");
  assert.equal(ledger?.actionName, "Ledger.read");
  assert.equal(ledger?.complianceDomain, "mnpi");
  assert.equal(ledger?.sensitivityLevel, "mnpi");
  assert.equal(ledger?.definitionHash, LEDGER.definition_hash);
  assert.deepEqual(ledger?.outputSchema, { type: "object", properties: { amount: { type: "number" } } });
  assert.equal(ledger?.server.identity, "https://ledger.bank.example:8443/mcp");
  assert.equal(catalog.servers.length, 1);
  assert.equal(catalog.tools.get("post_note")?.server, ledger?.server);
  assert.deepEqual(catalog.warnings, []);
});

void test("defaults are the careful ones", () => {
  const { compliance_domain: _domain, requires_baa: _baa, sensitivity_level: _level, ...bare } = entry("a");
  const tool = only(bare);
  assert.equal(tool.complianceDomain, "external");
  assert.equal(tool.sensitivityLevel, "public");
  assert.equal(tool.destinationClass, "external");
  assert.equal(tool.baaCovered, true);
  assert.equal(only(entry("a", { requires_baa: true })).baaCovered, false);
});

void test("two owners of one tool name are refused, both named", () => {
  const other = server({ display_name: "Impostor", url: "https://other.example/mcp" });
  refused(
    [entry("a"), entry("a", { server: other })],
    "CATALOG_TOOL_NAME_COLLISION",
    /^duplicate tool name a: offered by Ledger \(https:\/\/ledger\.bank\.example:8443\/mcp\).*Impostor \(https:\/\/other\.example\/mcp\)/,
  );
});

void test("two tools that give one action name are refused", () => {
  refused(
    [entry("read_file"), entry("ReadFile")],
    "CATALOG_TOOL_NAME_COLLISION",
    /read_file and ReadFile both give the Cedar action ReadFile/,
  );
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 1, maxLength: 3 }),
      fc.constantFrom("_", "__"),
      (parts, glue) => {
        const [plain, variant] = [parts.join("_"), `${parts.join(glue)}_`];
        assert.equal(actionName(plain), actionName(variant));
        refused([entry(plain), entry(variant)], "CATALOG_TOOL_NAME_COLLISION", /both give the Cedar action/);
      },
    ),
  );
});

void test("a definition hash that is not the definition's is refused", () => {
  refused(
    [entry("a", { definition_hash: LEDGER.definition_hash ?? null })],
    "CATALOG_INVALID",
    /entry a: definition_hash does not match approved_definition, whose hash is sha256:740a95e1/,
  );
});

void test("the shape is strict", () => {
  const { definition_hash: _hash, ...unhashed } = entry("a");
  refused([unhashed], "CATALOG_INVALID", /entry a: definition_hash/);
  refused([entry("a", { trusted: true })], "CATALOG_INVALID", /trusted/);
  refused([entry("a", { server: server({ port: 1 }) })], "CATALOG_INVALID", /port/);
  refused([entry("has space")], "CATALOG_INVALID", /tool_name: must be visible ASCII/);
  refused([entry("a".repeat(129))], "CATALOG_INVALID", /tool_name/);
  refused([entry("a", { added_at: "yesterday" })], "CATALOG_INVALID", /added_at/);
  refused(
    [entry("a", { compliance_domain: "secret" })],
    "CATALOG_INVALID",
    /compliance_domain secret is neither built in/,
  );
  refused(
    [entry("a", { sensitivity_level: "cosmic" })],
    "CATALOG_INVALID",
    /sensitivity_level cosmic is not in the sensitivity vocabulary/,
  );
  refused({ tools: [] }, "CATALOG_INVALID", /an array of entries/);
  refused([5], "CATALOG_INVALID", /entry #0/);
});

void test("size and depth are bounded", () => {
  const deep = (levels: number): JsonObject => (levels === 0 ? {} : { items: deep(levels - 1) });
  const withSchema = (input_schema: JsonObject): JsonObject =>
    entry("a", { approved_definition: { description: "", input_schema } });
  refused([withSchema(deep(33))], "CATALOG_INVALID", /nested deeper than 32/);
  assert.equal(only(withSchema(deep(31))).toolName, "a");
  refused([withSchema({ enum: ["x".repeat(256 * 1024)] })], "CATALOG_INVALID", /over 262144 bytes/);
  refused(
    [entry("a", { approved_definition: { description: "x".repeat(16_385), input_schema: {} } })],
    "CATALOG_INVALID",
    /description/,
  );
  refused(
    Array.from({ length: 10_001 }, () => null),
    "CATALOG_INVALID",
    /at most 10000 entries/,
  );
});

void test("what would promise an unmade check is refused by name", () => {
  const cases: readonly [JsonObject, RegExp][] = [
    [{ server: server({ rotation_mode: "cert-pinned" }) }, /`cert-pinned`/],
    [{ server: server({ provenance: { record_path: "p.json", publisher_jwk: { kty: "OKP" } } }) }, /`provenance`/],
    [{ catalog_exception: true }, /`catalog_exception`/],
  ];
  for (const [rest, message] of cases) refused([entry("a", rest)], "CONFIG_NOT_SUPPORTED", message, DEVELOPMENT);
  const harmless = entry("a", {
    server: server({ spiffe_id: null, rotation_mode: "key-pinned" }),
    catalog_exception: false,
  });
  assert.equal(only(harmless).toolName, "a");
});

void test("what a stdio server may reach is named host by host, in one spelling, and is part of the catalog", () => {
  const serverOf = (egress: JsonValue): JsonObject => ({
    server: { display_name: "notes", transport: "stdio", spawn: { command: "/srv/notes", egress } },
  });
  const egress = ["api.example.com", "localhost", "192.0.2.1", "2001:db8::1"].map((host) => ({ host, port: 443 }));
  const loaded = loadCatalog([entry("a", serverOf(egress))], PRODUCTION);
  const [server] = loaded.servers;
  assert.deepEqual(server?.transport === "stdio" && server.spawn.egress, egress);
  assert.notEqual(loadCatalog([entry("a", serverOf(egress.slice(1)))], PRODUCTION).hash, loaded.hash);
  const hosts = [
    "",
    "API.example.com",
    "*.example.com",
    "api.example.com.",
    "[::1]",
    "::0001",
    "127.1",
    "0x7f.1",
    "a_b",
    "-a",
    "a/b",
    "a:1",
  ];
  for (const host of hosts) refused([entry("a", serverOf([{ host, port: 443 }]))], "CATALOG_INVALID", /egress/);
  for (const port of [0, 65_536, 1.5, "443"])
    refused([entry("a", serverOf([{ host: "a.example", port }]))], "CATALOG_INVALID", /egress/);
  const many = Array.from({ length: 17 }, (_, port) => ({ host: "a.example", port: port + 1 }));
  refused([entry("a", serverOf(many))], "CATALOG_INVALID", /egress/);
  refused([entry("a", serverOf(egress)), entry("b", serverOf([]))], "CATALOG_INVALID", /notes/);
});

void test("a stdio server is known by its name and held to one command line and one digest", () => {
  const spawn = {
    command: "node",
    args: ["/srv/notes/main.js"],
    measure_target: "/srv/notes",
    binary_digest: `sha256:${"ab".repeat(32)}`,
  };
  const stdio = (rest: JsonObject = {}, changed: JsonObject = {}): JsonObject => ({
    server: { display_name: "notes", transport: "stdio", spawn: { ...spawn, ...changed }, ...rest },
  });
  const { server: measured } = only(entry("a", stdio()));
  assert.deepEqual(measured, {
    identity: "stdio:notes",
    name: "notes",
    displayName: "notes",
    integrity: "untrusted",
    transport: "stdio",
    spawn,
    evidenceClass: "spawn-measured",
  });
  const unmeasured = loadCatalog([entry("a", stdio({}, { binary_digest: null }))], PRODUCTION);
  assert.equal(unmeasured.servers[0]?.evidenceClass, "spawn-unmeasured");
  assert.match(unmeasured.warnings.join(), /stdio:notes has no binary_digest/);
  refused([entry("a", { server: { display_name: "notes", transport: "stdio" } })], "CATALOG_INVALID", /needs `spawn`/);
  for (const rest of [{ url: "https://notes.example/mcp" }, { tls_fingerprint: PIN }])
    refused([entry("a", stdio(rest))], "CATALOG_INVALID", /neither url nor tls_fingerprint/);
  refused([entry("a", { server: server({ spawn }) })], "CATALOG_INVALID", /`spawn` is for stdio servers/);
  for (const changed of [{ args: ["/srv/notes/other.js"] }, { binary_digest: null }])
    refused(
      [entry("a", stdio()), entry("b", stdio({}, changed))],
      "CATALOG_INVALID",
      /different pins, transports or integrities/,
    );
});

void test("a fingerprint on an https URL pins the server's key", () => {
  const { server: pinned } = only(entry("a"));
  assert.ok(pinned.transport === "streamable-http");
  assert.equal(pinned.evidenceClass, "tls-pinned");
  assert.deepEqual(pinned.trust, { kind: "pinned", spkiSha256: new Uint8Array(32).fill(0xab) });
  const { server: unpadded } = only(entry("a", { server: server({ tls_fingerprint: PIN.replace("=", "") }) }));
  assert.deepEqual("trust" in unpadded ? unpadded.trust : null, pinned.trust);
  refused(
    [entry("a", { server: server({ tls_fingerprint: PIN.replace("6s=", "6t=") }) })],
    "CATALOG_INVALID",
    /canonical base64 of 32 bytes/,
  );
  refused([entry("a", { server: server({ tls_fingerprint: "SHA256:q6ur" }) })], "CATALOG_INVALID", /tls_fingerprint/);
});

void test("an unpinned server is for development only, with a warning", () => {
  const { tls_fingerprint: _pin, ...unpinned } = server();
  const cases: readonly [JsonObject, RegExp, RegExp][] = [
    [server({ url: "http://127.0.0.1:3001/mcp" }), /plain http, which cannot be pinned/, /plain http on loopback/],
    [server({ url: "http://tools.example/mcp" }), /plain http, which cannot be pinned/, /plain http: nothing proves/],
    [server({ tls_fingerprint: PLACEHOLDER }), /no real tls_fingerprint/, /no pinned key/],
    [unpinned, /no real tls_fingerprint/, /no pinned key/],
  ];
  for (const [raw, refusal, warning] of cases) {
    refused([entry("a", { server: raw })], "CATALOG_INVALID", refusal);
    const catalog = loadCatalog([entry("a", { server: raw })], DEVELOPMENT);
    const [only] = catalog.servers;
    assert.ok(only !== undefined && "trust" in only);
    assert.deepEqual([only.evidenceClass, only.trust], ["hash-only", null]);
    assert.match(catalog.warnings.join("\n"), warning);
  }
});

void test("a server URL is http or https without credentials or fragment", () => {
  for (const url of [
    "ftp://x.example/",
    "file:///etc/passwd",
    "https://u:p@x.example/",
    "https://x.example/#f",
    "no url",
  ]) {
    refused([entry("a", { server: server({ url }) })], "CATALOG_INVALID", /server\.url/, DEVELOPMENT);
  }
});

void test("one server cannot have two keys", () => {
  refused(
    [entry("a"), entry("b", { server: server({ tls_fingerprint: PIN.replace("q6ur", "q6us") }) })],
    "CATALOG_INVALID",
    /two different pins/,
  );
});

void test("an http-sse entry loads, hashes and can be called; what has no pinned key over https cannot", () => {
  const raw = entry("a", { server: server({ transport: "http-sse" }) });
  const tool = only(raw);
  assert.equal(tool.definitionHash, definitionHash(raw.approved_definition as JsonObject));
  assert.equal(isCallable(tool), true);
  requireCallable(tool);
  const { tls_fingerprint: _, ...bare } = server();
  const unpinned = [...loadCatalog([entry("a", { server: bare })], DEVELOPMENT).tools.values()][0];
  assert.ok(unpinned !== undefined);
  assert.equal(isCallable(unpinned), false);
  assert.throws(
    () => requireCallable(unpinned),
    (thrown) => thrown instanceof CmcpError && thrown.code === "NOT_SUPPORTED",
  );
});

void test("additional arguments are let through where the entry says so, and nowhere else", () => {
  assert.equal(only(entry("post_note")).additionalArguments, false);
  assert.equal(only(entry("post_note", { additional: "refuse" })).additionalArguments, false);
  assert.equal(only(entry("post_note", { additional: "allow" })).additionalArguments, true);
  for (const additional of [true, "Allow", "", null])
    refused([entry("post_note", { additional })], "CATALOG_INVALID", /additional/);
});

void test("kinds of arguments are the operator's: of declared arguments, bounded, and nothing that drift is held against", () => {
  const kinds = (argument_kinds: JsonObject, rest: JsonObject = {}): JsonObject =>
    entry("post_note", { argument_kinds, ...rest });
  const [name = ""] = Object.keys((only(entry("post_note")).inputSchema.properties ?? {}) as JsonObject);
  const [plain, own] = [only(entry("post_note")), only(kinds({ [name]: "path" }))];
  assert.deepEqual([plain.argumentKinds, own.argumentKinds], [undefined, new Map([[name, "path"]])]);
  assert.deepEqual([own.driftDigest, own.definitionHash], [plain.driftDigest, plain.definitionHash]);
  refused([kinds({ other: "path" })], "CATALOG_INVALID", /argument_kinds names "other"/);
  assert.deepEqual(only(kinds({ other: "url" }, { additional: "allow" })).argumentKinds, new Map([["other", "url"]]));
  refused([kinds({ [name]: "host" })], "CATALOG_INVALID", /argument_kinds/);
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`a${index}`, "path"]));
  refused([kinds(many, { additional: "allow" })], "CATALOG_INVALID", /at most 64 arguments/);
});

void test("a projection schema is the operator's: bounded, beside no output schema, and nothing that drift is held against", () => {
  const schema = { type: "object", properties: { a: { type: "string" } } };
  const [plain, own] = [only(entry("post_note")), only(entry("post_note", { projection_schema: schema }))];
  assert.deepEqual([plain.projectionSchema, own.projectionSchema], [null, schema]);
  assert.deepEqual([own.driftDigest, own.definitionHash], [plain.driftDigest, plain.definitionHash]);
  assert.notEqual(
    loadCatalog([entry("post_note", { projection_schema: schema })], PRODUCTION).hash,
    loadCatalog([entry("post_note")], PRODUCTION).hash,
    "it is measured with the catalog",
  );
  refused([{ ...LEDGER, projection_schema: schema }], "CATALOG_INVALID", /beside an output_schema/);
  let deep: JsonObject = {};
  for (let level = 0; level < 33; level += 1) deep = { items: deep };
  refused([entry("post_note", { projection_schema: deep })], "CATALOG_INVALID", /nested deeper/);
  const wide = { description: "x".repeat(256 * 1024) };
  refused([entry("post_note", { projection_schema: wide })], "CATALOG_INVALID", /projection_schema is over/);
  refused([entry("post_note", { projection_schema: true })], "CATALOG_INVALID", /projection_schema/);
});

test("a server has no more tools than its live list is read for, whatever the other servers have", () => {
  const tools = (count: number, name: string): JsonObject[] =>
    Array.from({ length: count }, (_, index) =>
      entry(`${name}-${index}`, { server: server({ display_name: name, url: `https://${name}.bank.example/mcp` }) }),
    );
  const full = tools(MAX_OF_SERVER, "a");
  assert.equal(loadCatalog([...full, ...tools(2, "b")], PRODUCTION).tools.size, MAX_OF_SERVER + 2);
  assert.throws(
    () =>
      loadCatalog(
        [...full, ...tools(1, "b"), ...tools(1, "c"), entry("one-more", { server: full[0]?.server ?? null })],
        PRODUCTION,
      ),
    {
      code: "CATALOG_INVALID",
      message: /the server a has 4097 tools/,
    },
  );
});
