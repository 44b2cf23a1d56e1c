/** Sessions are reset and closed from the command line. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { IN_MACHINE } from "../gateway/launcher.ts";
import { Resets } from "../gateway/resets.ts";

describe("a reset from the command line", () => {
  const resets = new Resets();
  const { operator, send, platform } = resets;
  before(() => resets.open());
  after(() => resets.close());
  beforeEach(() => resets.beginSession());

  const paths = { key: "operator.pem", receipt: "seen.json" };
  before(async () => {
    paths.key = join(resets.deployment.folder, "operator.pem");
    paths.receipt = join(resets.deployment.folder, "seen.json");
    await writeFile(paths.key, operator.privateKey.export({ type: "pkcs8", format: "pem" }));
  });

  test("with the latest receipt", async () => {
    await writeFile(paths.receipt, JSON.stringify(resets.seen));
    const args = [
      "session",
      "reset",
      "--url",
      resets.deployment.gateway.url,
      "--key",
      paths.key,
      "--reason",
      "looked at",
      "--receipt",
      paths.receipt,
    ];
    const done = await cmcp(args);
    assert.equal(done.code, 0, done.stderr);
    assert.match(
      done.stdout,
      new RegExp(
        `^session ${resets.seen.session_id} reset: hipaa_phi to public, audit entry 2; session [0-9a-f-]{36} goes on\n$`,
      ),
    );
    assert.equal(await send(), "sent");
    const again = await cmcp([...args, "--json"]);
    assert.equal(again.code, 10);
    assert.equal((JSON.parse(again.stdout) as { error: { code: string } }).error.code, "OPERATOR_STATEMENT_STALE");
  });

  test("with the session's id and its principal's token", async () => {
    const args = [
      "session",
      "reset",
      "--url",
      resets.deployment.gateway.url,
      "--key",
      paths.key,
      "--reason",
      "looked at",
      "--session",
      resets.seen.session_id,
      "--token-env",
      "ALICE",
      "--json",
    ];
    const done = await cmcp(args, { ALICE: resets.deployment.tokenOf("alice") });
    assert.equal(done.code, 0, done.stdout);
    assert.equal(await send(), "sent");
    assert.equal(
      (await cmcp(args, { ALICE: resets.deployment.tokenOf("bob") })).code,
      10,
      "another principal's token finds no such session",
    );
  });

  test("with a key made for it", async () => {
    const path = join(resets.deployment.folder, "made.pem");
    const made = await cmcp(["key", "new", path, "--json"]);
    assert.match((JSON.parse(made.stdout) as { public_key: string }).public_key, /^[A-Za-z0-9_-]{43}$/);
    assert.equal((await cmcp(["key", "new", path])).code, 64, "it is never overwritten");
    await writeFile(paths.receipt, JSON.stringify(resets.seen));
    const refused = await cmcp([
      "session",
      "reset",
      "--url",
      resets.deployment.gateway.url,
      "--key",
      path,
      "--reason",
      "x",
      "--receipt",
      paths.receipt,
      "--json",
    ]);
    assert.equal(
      (JSON.parse(refused.stdout) as { error: { code: string } }).error.code,
      "OPERATOR_STATEMENT_INVALID",
      "a key that is not measured",
    );
  });

  test("a session is closed, and its claim kept", async () => {
    const [path, evidence] = [
      join(resets.deployment.folder, "closed.json"),
      join(resets.deployment.folder, "closed-evidence.json"),
    ];
    const args = [
      "session",
      "close",
      "--url",
      resets.deployment.gateway.url,
      "--session",
      resets.seen.session_id,
      "--token-env",
      "ALICE",
      "--out",
      path,
      "--evidence-out",
      evidence,
    ];
    const done = await cmcp(args, { ALICE: resets.deployment.tokenOf("alice") });
    // Software has no evidence that could be written beside it.
    assert.deepEqual([done.code, done.stdout], [0, IN_MACHINE ? `${path}\n${evidence}\n` : `${path}\n`]);
    assert.equal((await cmcp(["verify", path, ...(await platform())])).code, 0);
    assert.equal((await cmcp(args, { ALICE: resets.deployment.tokenOf("bob") })).code, 10);
    assert.equal((await cmcp(args)).code, 64, "the token is read from the environment");
  });
});
