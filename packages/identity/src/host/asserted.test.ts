import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import type { AuthenticatedCaller } from "../authenticated-caller.ts";
import { hostAssertedLabels, readHostAsserted, type HostAsserted, type PeerIdentity } from "./asserted.ts";

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
