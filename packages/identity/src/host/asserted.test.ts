import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import type { AuthenticatedCaller } from "../authenticated-caller.ts";
import { hostAssertedLabels, readHostAsserted, type HostAsserted, type PeerIdentity } from "./asserted.ts";
import { readSpiffeId } from "./spiffe.ts";

const DOMAINS = { trust_domains: ["bank.example"] };
const ID = "spiffe://bank.example/agents/desk-7";

function known(text: string = ID): HostAsserted<PeerIdentity> {
  const value = readHostAsserted(untrusted(text), DOMAINS);
  assert.ok(value !== null);
  return value;
}

test("the host's word becomes labels that say whose word it is", () => {
  assert.deepEqual(hostAssertedLabels(known()), {
    host_asserted_source: "host-asserted",
    host_asserted_spiffe_id: ID,
    host_asserted_trust_domain: "bank.example",
  });
});

test("without configuration, or for another trust domain, there is no label", () => {
  assert.equal(readHostAsserted(untrusted(ID), undefined), null);
  assert.equal(readHostAsserted(untrusted(ID), null), null);
  assert.equal(readHostAsserted(untrusted("spiffe://evil.example/agents/desk-7"), DOMAINS), null);
  assert.equal(readHostAsserted(untrusted("spiffe://bank.example.evil.example/a"), DOMAINS), null);
});

test("only SPIFFE IDs in their one spelling are read", () => {
  for (const text of ["spiffe://bank.example", "spiffe://bank.example/a/b", "spiffe://b-a_n.k/A.b-c_9"])
    assert.equal(readSpiffeId(text)?.text, text);
  const wrong = [
    "",
    "spiffe://",
    "spiffe:///a",
    "SPIFFE://bank.example/a",
    "spiffe://Bank.example/a",
    "spiffe://bank.example/",
    "spiffe://bank.example//a",
    "spiffe://bank.example/a/",
    "spiffe://bank.example/./a",
    "spiffe://bank.example/a/..",
    "spiffe://user@bank.example/a",
    "spiffe://bank.example:8443/a",
    "spiffe://bank.example/a?b",
    "spiffe://bank.example/a#b",
    "spiffe://bank.example/%41",
    "spiffe://bank.example/é",
    "https://bank.example/a",
    `${ID}\n`,
    `spiffe://bank.example/${"a".repeat(2_048)}`,
    `spiffe://${"a".repeat(256)}/a`,
  ];
  for (const text of wrong) assert.equal(readSpiffeId(text), null, text.slice(0, 60));
  fc.assert(fc.property(fc.string(), (text) => readSpiffeId(text) === null || text.startsWith("spiffe://")));
});

test("the host's word is no login: the compiler refuses it", () => {
  const onlyVerified = (caller: AuthenticatedCaller): string => caller.principalId;
  // @ts-expect-error A host's assertion is not an authenticated caller.
  assert.equal(onlyVerified(known()), undefined);
  const lookAlike = {
    source: "jwt" as const,
    principalId: "x",
    workflows: null,
    issuer: "",
    subject: "",
    claims: new Map<string, never>(),
    expiresAt: 0,
  };
  // @ts-expect-error Neither is anything that merely looks like one.
  assert.equal(onlyVerified(lookAlike), "x");
});
