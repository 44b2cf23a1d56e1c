/** A claim of the gateway as it is shipped, in a log that real witnesses cosigned: exported beside it and verified. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { formatVerifierKey } from "@cmcp/log";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { clientOf, type Client } from "../gateway/client.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { hasGo, NO_GO } from "./oracle.ts";
import { deployWitnessed, type WitnessedDeployment } from "./witnessed-deployment.ts";

const TOKEN = "witnessed-claim-test-token-0123456789";
const ENVIRONMENT = developmentEnvironment(TOKEN);

interface Exported {
  readonly path: string;
  readonly size: number;
  readonly cosigned: boolean;
  readonly newer: number;
}

interface Room extends WitnessedDeployment {
  readonly gateway: Gateway;
  readonly client: Client;
  /** Path of a file of the test's. */
  readonly file: (name: string) => string;
  /** What an export of the log is, with these options. */
  readonly exported: (name: string, ...options: readonly string[]) => Promise<Exported>;
  /** A verdict on the claim in an export, under the auditor's own policy. */
  readonly verify: (log: string, ...options: readonly string[]) => Promise<CommandResult>;
}

async function room(t: TestContext): Promise<Room> {
  const deployment = await deployWitnessed(t, 3_000);
  const { folder, config, policy, logKey } = deployment;
  const file = (name: string): string => `${folder}-${name}`;
  await writeFile(file("policy"), `log ${formatVerifierKey(logKey)}\n${policy}`);
  const gateway = await startGateway(config, ENVIRONMENT);
  t.after(() => gateway.kill());
  return {
    ...deployment,
    gateway,
    client: clientOf(gateway, TOKEN),
    file,
    exported: async (name, ...options) => {
      const store = join(folder, "audit.db");
      const { code, stdout, stderr } = await cmcp([
        "log",
        "export",
        "--store",
        store,
        file(name),
        ...options,
        "--json",
      ]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as Exported;
    },
    verify: async (log, ...options) => {
      const claim = [file("claim.json"), "--receipt", file("receipt.json"), "--allow-software-only"];
      return await cmcp(["verify", ...claim, "--log", log, "--witness-policy", file("policy"), ...options, "--json"]);
    },
  };
}

function judged({
  stdout,
  stderr,
  code,
}: CommandResult): readonly [number | null, string | undefined, readonly string[]] {
  assert.notEqual(stdout, "", stderr);
  const { log, checks } = JSON.parse(stdout) as {
    readonly log?: { readonly witnessing: string };
    readonly checks: readonly { readonly name: string; readonly status: string }[];
  };
  return [code, log?.witnessing, checks.filter(({ status }) => status === "failed").map(({ name }) => name)];
}

/** Calls once and closes the session. */
async function closedSession({ client, file }: Room): Promise<void> {
  const { body } = await client.call("send_message", "s", { to: "x", text: "x" });
  const receipt = receiptOf(body);
  await writeFile(file("receipt.json"), JSON.stringify(receipt));
  await writeFile(file("claim.json"), JSON.stringify(await client.close(receipt.session_id)));
  await writeFile(file("evidence.json"), JSON.stringify(await client.json(`/sessions/${receipt.session_id}/evidence`)));
}

/** The first export that has all of the log. Rounds go on after the claim is answered, so it is asked for again. */
async function whole({ exported }: Room): Promise<Exported> {
  for (let count = 0; ; count += 1) {
    const found = await exported(`whole${count}`);
    if (found.newer === 0) return found;
  }
}

describe("the claim of a gateway with witnesses", { skip: hasGo() ? false : NO_GO }, () => {
  test("is WITNESSED in an export that was made beside the gateway, and after its death", async (t) => {
    const here = await room(t);
    await closedSession(here);
    const { path, cosigned, size } = await whole(here);
    assert.ok(cosigned);
    assert.deepEqual(judged(await here.verify(path)), [0, "WITNESSED", []]);
    const placed = await here.verify(path, "--evidence", here.file("evidence.json"));
    assert.deepEqual(judged(placed), [0, "WITNESSED", []]);
    assert.match(placed.stdout, /"claim head"/);
    await here.gateway.kill();
    const after = await here.exported("after");
    assert.deepEqual([after.size, after.cosigned], [size, true]);
    assert.deepEqual(judged(await here.verify(after.path)), [0, "WITNESSED", []]);
  });

  test("is not in an export before a quorum has cosigned it, and not WITNESSED under the newest head", async (t) => {
    const here = await room(t);
    const { body } = await here.client.call("send_message", "s", { to: "x", text: "x" });
    const receipt = receiptOf(body);
    await here.witnesses[0]?.kill();
    await here.witnesses[1]?.kill();
    await writeFile(here.file("receipt.json"), JSON.stringify(receipt));
    await writeFile(here.file("claim.json"), JSON.stringify(await here.client.close(receipt.session_id)));
    const cosigned = await here.exported("cosigned");
    assert.ok(cosigned.cosigned && cosigned.newer > 0);
    const [code, , failed] = judged(await here.verify(cosigned.path));
    assert.deepEqual([code, failed.includes("claim in log")], [10, true]);
    const newest = await here.exported("newest", "--newest");
    assert.deepEqual([newest.cosigned, newest.newer], [false, 0]);
    assert.equal(newest.size, cosigned.size + cosigned.newer);
    const [refused, witnessing, why] = judged(await here.verify(newest.path));
    assert.deepEqual([refused, witnessing, why], [10, "UNWITNESSED", ["log key"]]);
  });
});
