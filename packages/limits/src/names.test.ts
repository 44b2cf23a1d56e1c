import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requireKnownNames, type NamingSettings } from "./names.ts";

const catalog = {
  tools: new Map([["mail", 1]]),
  prompts: new Map([["ask", 1]]),
  resources: new Map([["file:///a", 1]]),
  servers: [{ identity: "stdio:notes" }, { identity: "https://a.example/", trust: { kind: "webpki" } }],
};
const check = (settings: NamingSettings): void =>
  requireKnownNames(settings, catalog, (label) => ["public", "pii"].includes(label));
const sinks = (tool_max_sensitivity: Record<string, string>, response_max_sensitivity = "pii"): NamingSettings => ({
  sink_policy: { tool_max_sensitivity, response_max_sensitivity },
  enclave: {},
});

void describe("names in limits", () => {
  void it("are those of the catalog, of whatever kind", () => {
    check(sinks({ mail: "public", ask: "pii", "file:///a": "public" }));
    check({ enclave: { rate_limits: [{ tool: "mail" }, {}], budgets: [{ tool: "ask" }] } });
    check({ enclave: { tool_search: true, listed_tools: ["mail"] } });
    check({ enclave: { workflow_tools: { mailing: ["mail"], idle: [] } } });
  });

  void it("are refused by name where the catalog has none", () => {
    const refused = (settings: NamingSettings, message: RegExp): void =>
      assert.throws(() => check(settings), { code: "CONFIG_INVALID", message });
    refused(sinks({ mial: "public" }), /sink_policy\.tool_max_sensitivity: .*"mial"/);
    refused({ enclave: { rate_limits: [{ tool: "mial" }] } }, /enclave\.rate_limits: .*"mial"/);
    refused({ enclave: { budgets: [{ tool: "mial" }] } }, /enclave\.budgets: .*"mial"/);
    refused({ enclave: { tool_search: true, listed_tools: ["mail", "ask"] } }, /enclave\.listed_tools: .*"ask"/);
    refused({ enclave: { listed_tools: ["mail"] } }, /enclave\.listed_tools needs enclave\.tool_search/);
    for (const tool of ["mial", "ask"])
      refused({ enclave: { workflow_tools: { w: ["mail", tool] } } }, /workflow_tools: w has "(?:mial|ask)"/);
    refused(sinks({ mail: "secret" }), /"secret" is not a sensitivity label/);
    refused(sinks({ mail: "pii" }, "secret"), /"secret" is not a sensitivity label/);
  });

  void it("are refused where the settings have no roots that the catalog names", () => {
    const trust = { kind: "private-ca", roots: ["corp", "lab"] };
    const held = { ...catalog, servers: [{ identity: "https://b.example/", trust }] };
    const hold = (server_roots?: Record<string, unknown>): void =>
      requireKnownNames({ enclave: { server_roots } }, held, () => true);
    hold({ corp: 1, lab: 1, more: 1 });
    for (const roots of [undefined, {}, { corp: 1 }, { toString: 1 }])
      assert.throws(() => hold(roots), { code: "CONFIG_INVALID", message: /https:\/\/b\.example\/.*"(corp|lab)"/ });
  });

  void it("are refused where the settings have no bundle of a server's trust domain", () => {
    const trust = { kind: "spiffe", id: { trustDomain: "bank.example" } };
    const held = { ...catalog, servers: [{ identity: "https://b.example/", trust }] };
    const hold = (spiffe_bundles?: Record<string, unknown>): void =>
      requireKnownNames({ enclave: { spiffe_bundles } }, held, () => true);
    hold({ "bank.example": 1 });
    for (const bundles of [undefined, {}, { "other.example": 1 }])
      assert.throws(() => hold(bundles), { code: "CONFIG_INVALID", message: /trust domain bank\.example/ });
  });
});
