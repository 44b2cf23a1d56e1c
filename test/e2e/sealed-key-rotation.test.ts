/** Keys to seal to that the enclave replaces under a client: what it sealed to an old one is refused, and it goes on with new evidence. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { CmcpError } from "@cmcp/boundary";
import { connect, type Connection } from "@cmcp/client";
import { startFixture, type Fixture } from "../gateway/fixture.ts";
import { startInProcess } from "../gateway/in-process.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
/** Requests after which another key is offered; the one before opens twice as many. */
const REQUESTS_OF_KEY = 8;

describe("a key to seal to that was replaced", () => {
  let fixture: Fixture;
  /** Where the client's and the others' requests go. */
  let asked: string[] = [];
  before(async () => {
    fixture = await startFixture(async (config, environment) => {
      await writeFile(config, `${await readFile(config, "utf8")}enclave: {channel: sealed}\n`);
      return await startInProcess(config, environment, { requestsOfKey: REQUESTS_OF_KEY });
    });
  });
  after(async () => {
    await fixture.close();
  });
  beforeEach(() => {
    asked = [];
  });

  interface Client extends Connection {
    readonly call: (to: string) => Promise<string>;
    /** Lets so many milliseconds pass on its clock. */
    readonly pass: (milliseconds: number) => void;
  }
  async function client(report?: () => Response): Promise<Client> {
    let monotonic = 0;
    let reports = 0;
    const connection = await connect(new URL(fixture.gateway.url), EXPECTED, {
      crypto: webcrypto,
      monotonic: () => monotonic,
      sleep: async () => undefined,
      fetch: async (input, init) => {
        const request = new Request(input, init);
        const { pathname } = new URL(request.url);
        asked.push(pathname);
        if (pathname === "/attestation") reports += 1;
        return pathname === "/attestation" && reports > 1 && report !== undefined ? report() : await fetch(request);
      },
    });
    const call = async (to: string): Promise<string> => {
      const answer = await connection.fetch(fixture.gateway.mcp, {
        method: "POST",
        headers: {
          authorization: `Bearer ${fixture.token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "send_message", arguments: { to, text: "x" }, _cmcp: { session_id: "rotation" } },
        }),
      });
      return await answer.text();
    };
    return { ...connection, call, pass: (milliseconds) => void (monotonic += milliseconds) };
  }
  const reached = (to: string): number =>
    fixture.records.calls.filter((call) => (call.arguments as { to?: string }).to === to).length;
  /** Others use up the present key and the one after it, so that one from before opens nothing. */
  async function useUp(): Promise<void> {
    for (let generation = 0; generation < 2; generation += 1) {
      const other = await client();
      for (let count = 0; count < REQUESTS_OF_KEY; count += 1) await other.call("others");
    }
    asked = [];
  }

  test("is known from the next report on, and a call before and behind it runs once", async () => {
    const connected = await client();
    await connected.call("before");
    await useUp();
    connected.pass(5 * 60_000);
    await connected.call("with the new report");
    assert.equal(asked[0], "/attestation");
    assert.deepEqual([reached("before"), reached("with the new report")], [1, 1]);
  });

  test("refuses what is sealed to it: the call did not run, new evidence is verified, and the client goes on", async () => {
    const connected = await client();
    await connected.call("first");
    await useUp();
    const thrown: unknown = await connected.call("refused").catch((reason: unknown) => reason);
    assert.ok(thrown instanceof CmcpError);
    assert.deepEqual([thrown.code, thrown.detail["state"]], ["SEAL_OUTCOME_UNKNOWN", "unseen"]);
    assert.deepEqual(asked.slice(0, 3), ["/sealed", "/attestation", "/sealed"], "the question has the new key");
    assert.equal(reached("refused"), 0, "and the call is not sent again");
    await connected.call("goes on");
    assert.equal(reached("goes on"), 1);
  });

  test("ends the connection where the new evidence is not the instance's", async () => {
    const other = await startFixture();
    try {
      const report = await (await fetch(`${other.gateway.url}/attestation`)).text();
      const connected = await client(() => new Response(report));
      await connected.call("first");
      await useUp();
      await assert.rejects(connected.call("refused"), { code: "SEAL_OUTCOME_UNKNOWN" });
      asked = [];
      await assert.rejects(connected.call("after"), { code: "INSTANCE_CHANGED" });
      assert.ok(!asked.includes("/sealed"), "and nothing more is sent");
      assert.deepEqual([reached("refused"), reached("after")], [0, 0]);
    } finally {
      await other.close();
    }
  });
});
