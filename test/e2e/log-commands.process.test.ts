/** The log of a real gateway: exported beside it, verified by itself, and with claims and receipts in it. */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Receipt } from "@cmcp/audit/schema";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { startDeployment, type Deployment } from "../gateway/principals.ts";

interface Printed {
  readonly outcome: string;
  readonly witnessing?: string;
  readonly log?: { readonly origin: string; readonly size: number; readonly witnessing?: string };
  readonly checks: readonly { readonly name: string; readonly status: string; readonly why: string }[];
}

const printed = ({ stdout, stderr }: CommandResult): Printed => {
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Printed;
};
const failed = (result: CommandResult): string[] =>
  printed(result)
    .checks.filter(({ status }) => status === "failed")
    .map(({ name, why }) => `${name}: ${why}`);

describe("the log of a gateway", () => {
  let folder = "";
  let deployment: Deployment;
  let store = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-log-"));
    deployment = await startDeployment({ alice: null }, [], startGateway);
    store = join(deployment.folder, "deployment/audit.db");
  });
  after(async () => {
    await deployment?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const call = async (label: string): Promise<Receipt> => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    return receiptOf((await alice.call("get_patient_record", { patient_id: "P-1001" }, { label })).body);
  };
  const close = async (session: string): Promise<string> => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    const { text, status } = await alice.request(`/sessions/${session}/close`, { method: "POST" });
    assert.equal(status, 200, text);
    return text;
  };
  const evidence = async (session: string): Promise<string> => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    const { text, status } = await alice.request(`/sessions/${session}/evidence`);
    assert.equal(status, 200, text);
    return text;
  };
  const exported = async (name: string): Promise<string> => {
    const { code, stderr } = await cmcp(["log", "export", "--store", store, file(name)]);
    assert.equal(code, 0, stderr);
    return file(name);
  };

  test("has every receipt and claim, over crashes and restarts, and continues what an auditor kept", async () => {
    const first = await call("first");
    await writeFile(file("receipt.json"), JSON.stringify(first));
    await writeFile(file("claim.json"), await close(first.session_id));
    await writeFile(file("evidence.json"), await evidence(first.session_id));
    const early = await exported("early");
    await copyFile(join(early, "checkpoint"), file("kept"));
    await call("interrupted");
    await deployment.killEnclave();
    const second = await call("second");
    await writeFile(file("second.json"), JSON.stringify(second));
    await deployment.restart();
    const log = await exported("log");
    await writeFile(file("later-evidence.json"), await evidence(first.session_id));

    const whole = await cmcp(["log", "verify", log, "--earlier-checkpoint", file("kept"), "--json"]);
    assert.deepEqual([failed(whole), whole.code, printed(whole).witnessing], [[], 0, "CONSISTENT"]);
    const why = new Map(printed(whole).checks.map((check) => [check.name, check.why]));
    assert.match(why.get("hand-overs") ?? "", /^3,/);
    const checked = await cmcp(["log", "fsck", "--store", store, "--earlier-checkpoint", file("kept"), "--json"]);
    assert.deepEqual([failed(checked), checked.code, printed(checked).witnessing], [[], 0, "CONSISTENT"]);

    const verify = (...args: string[]): Promise<CommandResult> =>
      cmcp([
        "verify",
        file("claim.json"),
        "--receipt",
        file("receipt.json"),
        "--allow-software-only",
        "--json",
        ...args,
      ]);
    for (const [dir, more, witnessing] of [
      [early, [], "UNWITNESSED"],
      [log, ["--earlier-checkpoint", file("kept")], "CONSISTENT"],
    ] as const) {
      const verdict = await verify("--log", dir, ...more);
      assert.deepEqual([failed(verdict), verdict.code, printed(verdict).log?.witnessing], [[], 0, witnessing]);
    }
    // The place of the claim: under a note of its own instance, then under one of the instance that answers after it.
    for (const [name, signer] of [
      ["evidence.json", /under a note of this instance$/],
      ["later-evidence.json", /under a note of another instance, whose evidence is not looked at$/],
    ] as const) {
      const placed = await verify("--evidence", file(name), "--log", log);
      assert.deepEqual([failed(placed), placed.code], [[], 0], name);
      const whys = new Map(printed(placed).checks.map((check) => [check.name, check.why]));
      assert.match(whys.get("claim place") ?? "", signer);
      assert.match(whys.get("claim head") ?? "", /^the log continues/);
    }
    const short = await verify("--evidence", file("later-evidence.json"), "--log", early);
    assert.deepEqual([short.code, failed(short).map((each) => each.split(":")[0])], [10, ["claim head"]]);
    // A host that forgets and writes another history: the auditor's checkpoint tells.
    const forked = await cmcp(["log", "verify", early, "--earlier-checkpoint", join(log, "checkpoint"), "--json"]);
    assert.equal(forked.code, 10);
    const before = await verify("--log", early, "--receipt", file("second.json"));
    assert.equal(before.code, 10);
    assert.ok(failed(before).some((each) => each.includes(" in log: ")));
  });

  test("is exported while the gateway writes it", async () => {
    const calls = Promise.all(Array.from({ length: 20 }, async (_, at) => call(`busy-${at % 4}`)));
    const log = await exported("busy");
    await calls;
    const verdict = await cmcp(["log", "verify", log, "--json"]);
    assert.deepEqual([failed(verdict), verdict.code], [[], 0]);
  });

  test("says what it is for a person", async () => {
    const log = await exported("plain");
    const { stdout, code } = await cmcp(["log", "verify", log]);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^ACCEPTED, ORIGIN NOT PROVEN \(UNWITNESSED; \d+ records of cmcp\.localhost\/0\)\nroot {4}\S+\nkey {5}/,
    );
    const [, , , signature = ""] = (await readFile(join(log, "checkpoint"), "utf8")).split("\n").slice(1);
    assert.match(signature, /^— cmcp-instance-/);
  });
});
