import assert from "node:assert/strict";
import { test } from "node:test";
import type { Machine } from "@cmcp/attestation";
import { untrusted } from "@cmcp/boundary";
import { buildLaunchDocument, parseConfig } from "@cmcp/launch";
import { acceptLaunch, type Environment } from "./launch.ts";

/** A machine without hardware that attests, in a process that, as a test's, has network interfaces. */
const machine: Machine = {
  exists: () => false,
  chassisTag: () => "",
  tpm: () => null,
  imagePlatform: () => null,
};

const launch = (development: boolean) => {
  const env = development ? { CMCP_DEV_MODE: "1" } : { CMCP_BEARER_TOKEN: "t".repeat(40) };
  const { config } = parseConfig("attestation: {provider: software-only}", { env });
  const document = buildLaunchDocument({
    v: 1,
    platform: "software-only",
    development,
    config,
    policy_bundle: {},
    catalog: [],
    pins: {},
    trust_anchors: {},
  });
  return acceptLaunch(untrusted(document), { platform: { machine } } as unknown as Environment);
};

test("a process that can reach a network takes software-only attestation in development alone", async () => {
  const { isolation, platform } = await launch(true);
  assert.deepEqual([isolation, platform.attester.provider], ["none", "software-only"]);
  await assert.rejects(launch(false), { code: "ISOLATION_UNAVAILABLE" });
});
