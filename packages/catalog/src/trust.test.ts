import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { isCallable } from "./callable.ts";
import { loadCatalog } from "./load.ts";
import type { RemoteServer } from "./server.ts";
import { PIN, PLACEHOLDER, PRODUCTION, document, entry, named, resource, server } from "./test-support.ts";

const KEY = new Uint8Array(32).fill(0xab);
const OTHER_PIN = PIN.replace("q6ur", "q6us");
const { tls_fingerprint: _pin, ...UNPINNED } = server();

/** The server of a tool entry that says this of it, and of a named server that says the same. */
function serversOf(rest: JsonObject): readonly RemoteServer[] {
  const { tls_fingerprint: _, ...bare } = named("ledger");
  const catalogs = [
    loadCatalog([entry("a", { server: { ...UNPINNED, ...rest } })], PRODUCTION),
    loadCatalog(document({ servers: [{ ...bare, ...rest }], resources: [resource("x://rows")] }), PRODUCTION),
  ];
  return catalogs.map(({ servers: [only], tools, resources }) => {
    assert.ok(only !== undefined && "trust" in only);
    for (const approved of [...tools.values(), ...resources.values()]) assert.ok(isCallable(approved));
    return only;
  });
}

function refused(rest: JsonObject, message: RegExp, code = "CATALOG_INVALID"): void {
  const { tls_fingerprint: _, ...bare } = named("ledger");
  for (const raw of [
    [entry("a", { server: { ...UNPINNED, ...rest } })],
    document({ servers: [{ ...bare, ...rest }] }),
  ] as const)
    assert.throws(() => loadCatalog(raw as never, PRODUCTION), { code, message });
}

test("a server without trust is known by its pinned key, as one that says so", () => {
  for (const said of [{}, { trust: "pinned" }])
    for (const { trust, evidenceClass } of serversOf({ ...said, tls_fingerprint: PIN })) {
      assert.deepEqual(trust, { kind: "pinned", spkiSha256: KEY });
      assert.equal(evidenceClass, "tls-pinned");
    }
});

test("authorities vouch for a server that says so, and the record's class claims no more than the definition", () => {
  const cases: readonly (readonly [JsonObject, object])[] = [
    [{ trust: "webpki" }, { kind: "webpki", issuerPins: [] }],
    [
      { trust: "webpki", tls_fingerprint: PLACEHOLDER },
      { kind: "webpki", issuerPins: [] },
    ],
    [
      { trust: "webpki", issuer_pins: [PIN] },
      { kind: "webpki", issuerPins: [KEY] },
    ],
    [
      { trust: "private-ca", roots: ["corp", "lab"] },
      { kind: "private-ca", roots: ["corp", "lab"], issuerPins: [] },
    ],
    [
      { trust: "private-ca", roots: ["corp"], issuer_pins: [PIN] },
      { kind: "private-ca", roots: ["corp"], issuerPins: [KEY] },
    ],
  ];
  for (const [rest, expected] of cases)
    for (const known of serversOf(rest)) {
      assert.deepEqual(known.trust, expected);
      assert.equal(known.evidenceClass, "hash-only");
    }
});

test("a server is known by its SPIFFE ID, and by a SPIFFE ID only where it says so", () => {
  const id = "spiffe://bank.example/tools/ledger";
  for (const { trust, evidenceClass } of serversOf({ trust: "spiffe", spiffe_id: id })) {
    assert.deepEqual(trust, { kind: "spiffe", id: { text: id, trustDomain: "bank.example", path: "/tools/ledger" } });
    assert.equal(evidenceClass, "hash-only");
  }
  for (const wrong of ["spiffe://bank.example", "spiffe://bank.example/", "SPIFFE://bank.example/a", "https://a/b", ""])
    refused({ trust: "spiffe", spiffe_id: wrong }, /trust spiffe needs `spiffe_id`/);
  refused({ trust: "spiffe" }, /trust spiffe needs `spiffe_id`/);
  refused({ trust: "spiffe", spiffe_id: null }, /trust spiffe needs `spiffe_id`/);
  refused({ trust: "spiffe", spiffe_id: `spiffe://bank.example/${"a".repeat(2_048)}` }, /spiffe_id/);
  refused({ trust: "spiffe", spiffe_id: id, roots: ["corp"] }, /`roots` and `issuer_pins` are not for trust spiffe/);
  refused({ trust: "spiffe", spiffe_id: id, issuer_pins: [PIN] }, /`roots` and `issuer_pins` are not for trust spiffe/);
  refused({ trust: "spiffe", spiffe_id: id, tls_fingerprint: PIN }, /not looked at under trust spiffe/);
  refused({ trust: "spiffe", spiffe_id: id, url: "http://ledger.bank.example/mcp" }, /needs an https url/);
  for (const other of [{ tls_fingerprint: PIN }, { trust: "webpki" }, { trust: "private-ca", roots: ["corp"] }])
    refused({ ...other, spiffe_id: id }, /`spiffe_id` is for trust spiffe/);
});

test("attested is refused by name", () => {
  refused({ trust: "attested" }, /trust: attested/, "CONFIG_NOT_SUPPORTED");
});

test("members that contradict one another, or that nothing would look at, are refused", () => {
  refused({ trust: "anything" }, /trust/);
  refused({ trust: "webpki", tls_fingerprint: PIN }, /tls_fingerprint is not looked at under trust webpki/);
  refused({ trust: "private-ca", roots: ["corp"], tls_fingerprint: PIN }, /not looked at under trust private-ca/);
  refused({ trust: "webpki", roots: ["corp"] }, /`roots` is for trust private-ca/);
  refused({ trust: "private-ca" }, /needs `roots`/);
  refused({ trust: "private-ca", roots: [] }, /roots/);
  refused({ tls_fingerprint: PIN, issuer_pins: [PIN] }, /`issuer_pins` is for/);
  refused({ tls_fingerprint: PIN, roots: ["corp"] }, /`roots` is for/);
  refused({ trust: "webpki", issuer_pins: [PIN.replace("6s=", "6t=")] }, /issuer_pins is not canonical base64/);
  refused({ trust: "webpki", issuer_pins: Array.from({ length: 17 }, () => PIN) }, /issuer_pins/);
  refused({ trust: "webpki", url: "http://ledger.bank.example/mcp" }, /trust webpki needs an https url/);
  refused({ trust: "pinned" }, /no real tls_fingerprint/);
});

test("a stdio server has no trust to choose", () => {
  const stdio = { display_name: "Notes", transport: "stdio", spawn: { command: "node" } };
  for (const rest of [
    { trust: "webpki" },
    { roots: ["corp"] },
    { issuer_pins: [PIN] },
    { spiffe_id: "spiffe://bank.example/a" },
  ])
    assert.throws(() => loadCatalog([entry("a", { server: { ...stdio, ...rest } })], PRODUCTION), {
      code: "CATALOG_INVALID",
      message: /a stdio server has no TLS/,
    });
  const [process] = loadCatalog([entry("a", { server: stdio })], PRODUCTION).servers;
  assert.equal(process?.evidenceClass, "spawn-unmeasured");
});

test("one server is known in one way", () => {
  const ways: readonly JsonObject[] = [
    { tls_fingerprint: PIN },
    { tls_fingerprint: OTHER_PIN },
    { trust: "webpki" },
    { trust: "webpki", issuer_pins: [PIN] },
    { trust: "webpki", issuer_pins: [OTHER_PIN] },
    { trust: "private-ca", roots: ["corp"] },
    { trust: "private-ca", roots: ["lab"] },
    { trust: "private-ca", roots: ["corp"], issuer_pins: [PIN] },
    { trust: "spiffe", spiffe_id: "spiffe://bank.example/a" },
    { trust: "spiffe", spiffe_id: "spiffe://bank.example/b" },
  ];
  for (const left of ways)
    for (const right of ways) {
      const load = (): unknown =>
        loadCatalog(
          [entry("a", { server: { ...UNPINNED, ...left } }), entry("b", { server: { ...UNPINNED, ...right } })],
          PRODUCTION,
        );
      if (left === right) assert.doesNotThrow(load);
      else assert.throws(load, { code: "CATALOG_INVALID", message: /two different pins/ });
    }
});
