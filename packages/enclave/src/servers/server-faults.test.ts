import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import { IDENTITY_FAULTS, UpstreamRefusal } from "@cmcp/mcp";
import { namedServer } from "../testing/servers.ts";
import { REPORT_INTERVAL_MS, SERVER_FAULTS, ServerFaults, type ServerFault } from "./server-faults.ts";

const SECRET = "the server's own words";

function scene() {
  let now = 0;
  const reports: [string, ServerFault][] = [];
  const faults = new ServerFaults({
    report: (server, fault) => void reports.push([server, fault]),
    monotonic: () => now,
  });
  const server = namedServer("https://a.example/mcp");
  const failing = async (thrown: unknown, at = server): Promise<void> => {
    await assert.rejects(
      faults.observe(at, async () => await Promise.reject(thrown as Error)),
      (caught) => caught === thrown,
    );
  };
  const error = (code: ErrorCode, detail: Record<string, string | number> = {}): CmcpError =>
    new CmcpError(code, SECRET, { detail });
  return { faults, reports, server, failing, error, pass: (ms: number) => void (now += ms) };
}

test("each error of a server has one reason of the closed list, and an action", async () => {
  const { faults, failing, error } = scene();
  const cases: readonly (readonly [CmcpError, ServerFault])[] = [
    [error("UPSTREAM_IDENTITY_MISMATCH", { reason: "wrong-key" }), "changed-key"],
    [error("UPSTREAM_IDENTITY_MISMATCH", { reason: "wrong-name" }), "name-mismatch"],
    [error("UPSTREAM_IDENTITY_MISMATCH", { reason: "wrong-spiffe-id" }), "name-mismatch"],
    [error("UPSTREAM_IDENTITY_MISMATCH", { reason: "expired" }), "expired-certificate"],
    [error("UPSTREAM_IDENTITY_MISMATCH", { reason: "not-yet-valid" }), "early-certificate"],
    [error("UPSTREAM_IDENTITY_MISMATCH", { reason: "unknown-issuer" }), "unknown-authority"],
    [error("UPSTREAM_IDENTITY_MISMATCH", { reason: SECRET }), "invalid-certificate"],
    [error("UPSTREAM_UNAVAILABLE", { reason: "exited-at-start" }), "exited-at-start"],
    [error("UPSTREAM_UNAVAILABLE", { reason: "exited" }), "exited"],
    [error("SPAWN_FAILED", { status: "no-program" }), "missing-program"],
    [error("SPAWN_FAILED", { status: "not-confined" }), "not-confined"],
    [error("SPAWN_DIGEST_MISMATCH"), "changed-files"],
    [error("SPAWN_TREE_REFUSED"), "unreadable-files"],
    [error("UPSTREAM_PROTOCOL_ERROR", { status: 401 }), "credential-refused"],
    [new UpstreamRefusal({ code: 1, message: SECRET }, { status: 403 }), "credential-refused"],
    [error("CREDENTIAL_NOT_PROVISIONED"), "credential-missing"],
    [error("AUTHORIZATION_UNAVAILABLE"), "no-authorization"],
    [error("UPSTREAM_UNAVAILABLE"), "unreachable"],
    [error("UPSTREAM_TIMEOUT"), "no-answer"],
    [error("UPSTREAM_PROTOCOL_ERROR"), "not-mcp"],
  ];
  for (const [thrown, fault] of cases) {
    await failing(thrown);
    assert.deepEqual(faults.current, [{ server: "server", fault }], thrown.code);
  }
  for (const reason of IDENTITY_FAULTS) {
    await failing(error("UPSTREAM_IDENTITY_MISMATCH", { reason }));
    assert.ok(Object.hasOwn(SERVER_FAULTS, faults.current[0]?.fault ?? ""));
  }
});

test("an answer ends a fault, a refusal of the server too, and what the caller or the back-off did changes nothing", async () => {
  const { faults, server, failing, error } = scene();
  await failing(error("UPSTREAM_TIMEOUT"));
  for (const thrown of [
    error("REQUEST_CANCELLED"),
    error("UPSTREAM_UNAVAILABLE", { retry_after_ms: 5 }),
    new Error("x"),
  ])
    await failing(thrown);
  assert.equal(faults.current[0]?.fault, "no-answer");
  await failing(new UpstreamRefusal({ code: 1, message: SECRET }, {}));
  assert.deepEqual(faults.current, []);
  await failing(error("UPSTREAM_TIMEOUT"));
  assert.equal(await faults.observe(server, async () => await Promise.resolve(1)), 1);
  assert.deepEqual(faults.current, []);
});

test("a fault is reported when it begins or changes, and a server that comes and goes not more often than the interval", async () => {
  const { faults, reports, server, failing, error, pass } = scene();
  for (let round = 0; round < 100; round += 1) {
    await failing(error("UPSTREAM_TIMEOUT"));
    await failing(error("UPSTREAM_TIMEOUT"));
    await faults.observe(server, async () => await Promise.resolve(null));
    pass(REPORT_INTERVAL_MS / 50);
  }
  assert.equal(reports.length, 2);
  assert.deepEqual(reports[0], ["server", "no-answer"]);
  const other = namedServer("https://b.example/mcp");
  await failing(error("UPSTREAM_TIMEOUT"), other);
  assert.equal(reports.length, 3);
});
