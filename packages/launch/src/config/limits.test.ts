import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseConfig } from "./load.ts";

void describe("limits", () => {
  const parsed = (text: string) => parseConfig(text, { env: { CMCP_DEV_MODE: "1" }, file: "conf.yaml" }).config;
  const refused = (text: string, message: RegExp): void =>
    assert.throws(() => parsed(text), { code: "CONFIG_INVALID", message });

  void it("are measured where something is limited, and leave no trace where nothing is", () => {
    assert.deepEqual(parsed("kill_switch: {enabled: false, window_seconds: 9}"), parsed(""));
    assert.deepEqual(parsed("enclave: {rate_limits: [], budgets: []}"), parsed(""));
    assert.deepEqual(parsed("kill_switch: {enabled: true}").kill_switch, {
      enabled: true,
      window_seconds: 300,
      deny_rate_threshold: 0.9,
      min_calls: 10,
    });
    const sinks = { tool_max_sensitivity: { mail: "public" }, response_max_sensitivity: "pii" };
    assert.deepEqual(parsed(`sink_policy: ${JSON.stringify(sinks)}`).sink_policy, sinks);
    const rule = { principal: "default", tool: "mail", window_seconds: 60, max_calls: 3 };
    assert.deepEqual(parsed(`enclave: {rate_limits: [${JSON.stringify(rule)}]}`).enclave.rate_limits, [rule]);
  });

  void it("that mean nothing are refused", () => {
    refused("kill_switch: {deny_rate_threshold: 0}", /kill_switch\.deny_rate_threshold/);
    refused("kill_switch: {deny_rate_threshold: 1.1}", /kill_switch\.deny_rate_threshold/);
    refused("kill_switch: {min_calls: 0}", /kill_switch\.min_calls/);
    refused("kill_switch: {windw_seconds: 9}", /kill_switch\.window_seconds/);
    refused("sink_policy: {tool_max_sensitivity: {mail: public}}", /response_max_sensitivity/);
    refused(
      "enclave: {rate_limits: [{principal: nobody, window_seconds: 9, max_calls: 1}]}",
      /enclave\.rate_limits: the principal nobody/,
    );
    refused("enclave: {budgets: [{window_seconds: 9, max_bytes_sent: -1}]}", /enclave\.budgets/);
  });

  void it("that contradict each other are refused, and different windows are not a contradiction", () => {
    refused(
      "enclave: {rate_limits: [{window_seconds: 9, max_calls: 1}, {window_seconds: 9, max_calls: 5}]}",
      /two rules are for the same principal, tool and window/,
    );
    parsed("enclave: {rate_limits: [{window_seconds: 9, max_calls: 1}, {window_seconds: 90, max_calls: 5}]}");
  });
});
