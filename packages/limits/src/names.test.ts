import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requireKnownNames, type NamingSettings } from "./names.ts";

const catalog = {
  tools: new Map([["mail", 1]]),
  prompts: new Map([["ask", 1]]),
  resources: new Map([["file:///a", 1]]),
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
  });

  void it("are refused by name where the catalog has none", () => {
    const refused = (settings: NamingSettings, message: RegExp): void =>
      assert.throws(() => check(settings), { code: "CONFIG_INVALID", message });
    refused(sinks({ mial: "public" }), /sink_policy\.tool_max_sensitivity: .*"mial"/);
    refused({ enclave: { rate_limits: [{ tool: "mial" }] } }, /enclave\.rate_limits: .*"mial"/);
    refused({ enclave: { budgets: [{ tool: "mial" }] } }, /enclave\.budgets: .*"mial"/);
    refused(sinks({ mail: "secret" }), /"secret" is not a sensitivity label/);
    refused(sinks({ mail: "pii" }, "secret"), /"secret" is not a sensitivity label/);
  });
});
