/** Every command of `cmcp`, as its own overview lists them: what it says of itself holds, and each exit code it documents is met. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { toBase64Url } from "@cmcp/boundary";
import { buildLaunchDocument, parseConfig } from "@cmcp/launch";
import { privateKeyPem, randomBytes, X_WING_SUITE } from "@cmcp/seal";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { ALLOW_ALL, ROOT, deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { CLI } from "../gateway/gateway.ts";
import { newOperator } from "../gateway/operator.ts";
import { startDeployment, type Deployment } from "../gateway/principals.ts";
import { startChangingServer, type ChangingServer } from "../servers/changing-server.ts";

/** Commands whose exit codes need evidence, firmware or a whole gateway, and the tests that meet them. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "server add": "test/e2e/server-add.process.test.ts",
  start: "test/e2e/refused-starts.process.test.ts",
  verify: "test/e2e/verify.process.test.ts",
  "manifest revocations": "test/e2e/manifests.test.ts",
  "policy explain": "test/e2e/policy-explain.process.test.ts",
  "policy succeed-key": "test/e2e/policy-keys.process.test.ts",
  "policy revoke-key": "test/e2e/policy-keys.process.test.ts",
  "evidence verify": "packages/cli/src/evidence/evidence.test.ts",
  connect: "test/e2e/connect.process.test.ts",
  provision: "test/e2e/provision.process.test.ts",
  "approvals list": "test/e2e/approvals.process.test.ts",
  "approvals show": "test/e2e/approvals.process.test.ts",
  "approvals approve": "test/e2e/approvals.process.test.ts",
  "approvals deny": "test/e2e/approvals.process.test.ts",
  "approvals disclose": "test/e2e/disclosures.process.test.ts",
  "approvals serve": "test/e2e/approvals-page.process.test.ts",
  "approvals register": "test/e2e/approvals-register.process.test.ts",
  "instance verify": "packages/cli/src/instance/instance-verify.test.ts",
  "evidence show": "packages/cli/src/evidence/evidence.test.ts",
  "evidence fetch": "packages/cli/src/evidence/evidence.test.ts",
  "measure sev-snp": "packages/cli/src/measure/measure.process.test.ts",
  "measure tdx": "packages/cli/src/measure/measure.process.test.ts",
  "measure tpm": "packages/cli/src/measure/measure.process.test.ts",
  "measure id-block": "packages/cli/src/measure/id-block.test.ts",
  "measure stdio": "packages/cli/src/measure/stdio.test.ts",
};

/** Commands that are whole without an argument. */
const COMPLETE_ALONE: ReadonlySet<string> = new Set(["doctor"]);

const KILL_SWITCH = "kill_switch: {enabled: true, window_seconds: 60, deny_rate_threshold: 0.9, min_calls: 1000}";

const overview = (await cmcp(["--help"])).stdout;
const NAMES = [...overview.matchAll(/^ {2}cmcp ((?:[a-z-]+ )*?[a-z-]+) {2,}\S/gm)].map(([, name = ""]) => name);
const helpOf = new Map(
  await Promise.all(NAMES.map(async (name) => [name, (await cmcp([...name.split(" "), "--help"])).stdout] as const)),
);

/** The exit codes a command's help documents, but 1: nobody can ask for an internal failure. */
function documentedCodes(help: string): number[] {
  const text = /^Exit codes: ((?:.|\n(?!Example))*)/m.exec(help)?.[1] ?? "";
  return [...text.matchAll(/(?:^|[,;]\s+)(\d+) /g)].map(([, code]) => Number(code)).filter((code) => code !== 1);
}

interface JsonAnswer {
  readonly ok?: boolean;
  readonly error?: { readonly code?: string; readonly message?: string; readonly action?: string };
}

/** What a command printed with `--json`: one line. */
function answerOf({ stdout }: CommandResult): JsonAnswer {
  assert.equal(stdout.trimEnd().split("\n").length, 1, stdout);
  return JSON.parse(stdout) as JsonAnswer;
}

test("the overview lists every command, and the documentation has each", async () => {
  assert.ok(NAMES.length >= 25, NAMES.join(", "));
  const documented = await readFile(join(ROOT, "docs/reference/cli.md"), "utf8");
  for (const name of NAMES)
    assert.ok(documented.includes(`cmcp ${name}`), `docs/reference/cli.md says nothing of cmcp ${name}`);
  for (const [name, file] of Object.entries(ELSEWHERE)) {
    assert.ok(NAMES.includes(name), name);
    await access(join(ROOT, file));
  }
});

test("no command, an unknown one, and an unknown one in JSON are usage errors that name --help", async () => {
  assert.equal((await cmcp([])).code, 64);
  const plain = await cmcp(["no-such-command"]);
  assert.deepEqual([plain.code, plain.stdout], [64, ""]);
  assert.match(plain.stderr, /^USAGE: .*--help[^]*what to do:/);
  const { ok, error } = answerOf(await cmcp(["no-such-command", "--json"]));
  assert.deepEqual([ok, error?.code], [false, "USAGE"]);
});

test("the version is the package's, in words and in JSON, and takes no other argument", async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, "packages/cli/package.json"), "utf8")) as {
    version: string;
  };
  const [plain, inJson, more] = await Promise.all(
    [[], ["--json"], ["policy"]].map((rest) => cmcp(["--version", ...rest])),
  );
  assert.equal(plain?.stdout, `cmcp ${version} (Node ${process.versions.node})\n`);
  assert.deepEqual(JSON.parse(inJson?.stdout ?? ""), { ok: true, version, node: process.versions.node });
  assert.deepEqual([plain?.code, inJson?.code, more?.code, more?.stdout], [0, 0, 64, ""]);
});

test("words that every object knows are unknown commands too", async () => {
  for (const word of ["constructor", "toString", "__proto__"]) {
    const { code, stderr } = await cmcp([word]);
    assert.equal(code, 64, stderr);
    assert.match(stderr, /^USAGE: there is no command/);
  }
});

for (const group of new Set(NAMES.filter((name) => name.includes(" ")).map((name) => name.split(" ")[0] ?? ""))) {
  test(`${group}: lists its commands, with --help and by itself, and knows no other`, async () => {
    const own = NAMES.filter((name) => name.startsWith(`${group} `));
    const [bare, help, unknown, inJson] = await Promise.all(
      [[], ["--help"], ["no-such-command"], ["--json"]].map((rest) => cmcp([group, ...rest])),
    );
    assert.ok(bare !== undefined && help !== undefined && unknown !== undefined && inJson !== undefined);
    assert.deepEqual([bare.code, help.code, unknown.code, inJson.code], [64, 0, 64, 64]);
    for (const { stdout, stderr } of [bare, help]) {
      assert.deepEqual(
        [...stdout.matchAll(/^ {2}cmcp ((?:[a-z-]+ )*?[a-z-]+) {2,}\S/gm)].map(([, name]) => name),
        own,
      );
      assert.equal(stderr, "");
    }
    assert.match(unknown.stderr, new RegExp(`^USAGE: .*cmcp ${group} --help`));
    assert.equal(answerOf(inJson).error?.code, "USAGE");
  });
}

for (const [name, help] of helpOf) {
  const words = name.split(" ");
  test(`${name}: explains itself, and refuses what it does not know in words and in JSON`, async () => {
    assert.match(help, new RegExp(`^Usage: cmcp ${name}\\b`));
    assert.match(help, /--json/);
    assert.match(help, new RegExp(`^Example: +(?:[A-Z_]+=\\S+ )?cmcp ${name}\\b`, "m"));
    const codes = documentedCodes(help);
    assert.ok(codes.includes(0) && codes.includes(64), help);
    for (const args of [[], ["--no-such-option"], ["one", "two", "too-many"]]) {
      if (args.length === 0 && COMPLETE_ALONE.has(name)) continue;
      const plain = await cmcp([...words, ...args]);
      assert.deepEqual([plain.code, plain.stdout], [64, ""], args.join(" "));
      assert.match(plain.stderr, /^USAGE: .+\nwhat to do: .+\n$/, args.join(" "));
      const inJson = await cmcp([...words, ...args, "--json"]);
      const { ok, error } = answerOf(inJson);
      assert.deepEqual([inJson.code, ok, error?.code], [64, false, "USAGE"], args.join(" "));
      assert.ok((error?.message?.length ?? 0) > 0 && (error?.action?.length ?? 0) > 0);
    }
  });
}

describe("exit codes", () => {
  const operator = newOperator();
  const { kem } = X_WING_SUITE;
  const auditor = randomBytes(32);
  let folder = "";
  let deployment: Deployment;
  let server: ChangingServer;
  let env: Record<string, string> = {};
  /** Arguments that end with each code a command documents, made from what the suite has set up. */
  let cases: Readonly<Record<string, Readonly<Record<number, readonly string[]>>>> = {};

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-commands-"));
    server = await startChangingServer("lookup");
    const config = await deploy(join(folder, "d"), {
      tools: [
        { name: "lookup", url: server.url, inputSchema: { type: "object", properties: { topic: { type: "string" } } } },
      ],
      policies: ALLOW_ALL,
    });
    deployment = await startDeployment({ alice: null, bob: null }, [
      `operator_keys: [${operator.publicKey}]\n${KILL_SWITCH}\nlog:\n  auditors: [${toBase64Url(kem.keyOf(auditor).publicKey)}]`,
    ]);
    env = { CMCP_DEV_MODE: "1", ALICE: deployment.tokenOf("alice") };
    const alice = deployment.agent(env["ALICE"] ?? "");
    const [seen, ended] = await Promise.all(
      ["seen", "ended"].map(async (label) =>
        receiptOf((await alice.call("get_patient_record", { patient_id: "P-1001" }, { label })).body),
      ),
    );
    assert.ok(seen !== undefined && ended !== undefined);
    const bundle = await alice.request(`/audit/export?session_id=${seen.session_id}`);
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    };
    const key = await file("operator.pem", operator.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    const call = await file("call.json", JSON.stringify({ tool: "lookup", arguments: {} }));
    const [policies, catalog, garbage] = [
      join(folder, "d/policies"),
      join(folder, "d/catalog.json"),
      await file("garbage", "{]"),
    ];
    const receipt = await file("receipt.json", JSON.stringify(seen));
    const export_ = await file("bundle.json", bundle.text);
    const broken = await file(
      "broken.json",
      bundle.text.replace(/"latency_us":([0-9])/, (_, digit: string) => `"latency_us":${digit === "1" ? 2 : 1}`),
    );
    const wrongConfig = await file("wrong.yaml", "catalogue_path: x\n");
    const poisoned = await file(
      "poisoned.json",
      (await readFile(catalog, "utf8")).replace('"lookup."', '"lookup.\u200b"'),
    );
    const renewed = await file(
      "renewed.json",
      (await readFile(catalog, "utf8")).replace("test@example.org", "other@example.org"),
    );
    const approval = ["--key", key, "--key-id", "alice"];
    const launchOf = async (keys: readonly object[]): Promise<string> => {
      const enclave = { catalog_keys: keys, catalog_approvals: keys.length };
      const { config: measured } = parseConfig(JSON.stringify({ enclave }), { env: { CMCP_DEV_MODE: "1" } });
      const { provider: platform } = measured.attestation;
      const parts = { policy_bundle: {}, catalog: [], pins: {}, trust_anchors: {} };
      const document = buildLaunchDocument({ v: 1, platform, development: true, config: measured, ...parts });
      return await file(`launch-${keys.length}.json`, Buffer.from(document).toString());
    };
    const approvers = [operator, newOperator()].map(({ publicKey: ed25519 }, at) => ({
      id: ["alice", "bob"][at],
      ed25519,
    }));
    const [one, two] = [await launchOf(approvers.slice(0, 1)), await launchOf(approvers)];
    const { url } = deployment.gateway;
    const review = ["--approved-by", "test@example.org", "--domain", "public", "--sensitivity", "public", "--json"];
    const reset = ["--url", url, "--key", key, "--reason", "looked at"];
    const erasure = ["--url", url, "--key", key, "--reason", "asked for", "--instance", seen.instance];
    const lost = ["--origin", "gateway.example/0", "--key", key];
    const close = ["--url", url, "--token-env", "ALICE", "--out", join(folder, "claim.json")];
    const { instance } = seen;
    const operate = ["--url", url, "--key", key, "--reason", "looked at", "--principal", "bob", "--instance"];
    const store = join(deployment.folder, "deployment/audit.db");
    const log = join(folder, "exported");
    assert.equal((await cmcp(["log", "export", "--store", store, log])).code, 0);
    await cp(log, join(folder, "cut"), { recursive: true });
    await writeFile(join(folder, "cut/checkpoint"), "cut off");
    const nobodys = "11111111-1111-4111-8111-111111111111";
    const auditorKey = await file("auditor.pem", privateKeyPem(kem, auditor));
    const opened = ["--session", seen.session_id, "--call", seen.call_id ?? "", "--key", auditorKey];
    cases = {
      "validate-config": { 0: ["--config", config], 10: ["--config", wrongConfig], 64: ["--config"] },
      "validate-bundle": {
        0: ["--bundle-path", policies],
        10: ["--bundle-path", policies, "--expected-hash", `sha256:${"0".repeat(64)}`],
        64: ["--bundle-path"],
      },
      "audit verify": {
        0: [export_, "--receipt", receipt, "--allow-software-only"],
        10: [broken, "--allow-software-only"],
        30: [garbage, "--allow-software-only"],
        64: [export_, "--trusted-key", "short"],
      },
      "audit disclose": {
        0: [log, ...opened, "--out", join(folder, "disclosed.json")],
        10: [log, "--session", nobodys, ...opened.slice(2), "--out", join(folder, "none.json")],
        30: [join(folder, "cut"), ...opened, "--out", join(folder, "none.json")],
        64: [log, ...opened, "--out", garbage],
      },
      "log export": {
        0: ["--store", store, join(folder, "log")],
        10: ["--store", garbage, join(folder, "no-log")],
        64: ["--store", store, folder],
      },
      "log verify": {
        0: [log],
        10: [log, "--origin", "gateway.example/0"],
        30: [join(folder, "cut")],
        64: [folder],
      },
      "log fsck": {
        0: ["--store", store],
        10: ["--store", garbage],
        30: ["--store", store, "--earlier-checkpoint", garbage],
        64: ["--store", store, "--store-env", "NAME"],
      },
      "log erase-keys": {
        0: ["--store", store, "--log", log],
        10: ["--store", garbage],
        64: ["--store", store, "--log", folder],
      },
      "log lost": { 0: [...lost, "--reason", "disk lost"], 64: [...lost, "--reason", ""] },
      "session erase-key": {
        0: [...erasure, "--session", seen.session_id],
        10: [...erasure, "--session", nobodys],
        64: [...erasure, "--session", "seen"],
      },
      "session reset": {
        0: [...reset, "--receipt", receipt],
        10: [...reset, "--session", nobodys, "--token-env", "ALICE"],
        64: [...reset, "--session", nobodys, "--receipt", receipt],
      },
      "session close": {
        0: [...close, "--session", ended.session_id],
        10: [...close, "--session", nobodys],
        64: [...close, "--session", "not a session"],
      },
      "kill-switch trip": { 0: [...operate, instance], 10: [...operate, "a".repeat(43)], 64: operate },
      "kill-switch unblock": { 0: [...operate, instance], 10: [...operate, "a".repeat(43)], 64: operate },
      "token new": { 0: ["alice"], 64: ["a b"] },
      "key new": { 0: [join(folder, "made.pem")], 64: [key] },
      doctor: { 0: ["--config", config], 10: ["--config", wrongConfig], 64: ["--config"] },
      init: {
        0: [join(folder, "new"), "--approved-by", "test@example.org", "--server", server.url],
        10: [join(folder, "unreached"), "--approved-by", "test@example.org", "--server", "http://127.0.0.1:1/mcp"],
        64: [folder, "--approved-by", "test@example.org"],
      },
      "policy new": {
        0: [join(folder, "new-policies"), "--catalog", catalog, "--author", "test@example.org"],
        10: [join(folder, "no-policies"), "--catalog", garbage, "--author", "test@example.org"],
        64: [folder, "--catalog", catalog, "--author", "test@example.org"],
      },
      completion: { 0: ["bash"], 64: ["cmd"] },
      "policy hash": { 0: [policies], 10: [folder], 64: [] },
      "policy sign": { 0: [policies, "--key", key], 10: [folder, "--key", key], 64: [policies, "--key", garbage] },
      "policy schema": { 0: [policies, "--catalog", catalog], 10: [policies, "--catalog", garbage], 64: [policies] },
      "policy lint": { 0: [policies, "--catalog", catalog], 10: [folder, "--catalog", catalog], 64: [] },
      "policy test": {
        0: [policies, "--catalog", catalog, "--call", call, "--expect", "allow"],
        10: [policies, "--catalog", catalog, "--call", call, "--expect", "deny"],
        64: [policies, "--catalog", catalog, "--call", call, "--expect", "perhaps"],
      },
      "catalog hash": { 0: [catalog], 10: [garbage], 64: [] },
      "catalog diff": { 0: [catalog, renewed], 10: [garbage, catalog], 64: [catalog] },
      "catalog approve": {
        0: [renewed, "--from", catalog, ...approval],
        10: [garbage, "--from", catalog, ...approval],
        64: [renewed, "--from", renewed, ...approval],
      },
      "catalog status": {
        0: [renewed, "--launch-document", one],
        10: [renewed, "--launch-document", two],
        64: [renewed],
      },
      "catalog scan": { 0: [catalog], 10: [poisoned], 64: [] },
      "catalog import": { 0: [server.url, ...review], 10: ["http://127.0.0.1:1/mcp", ...review], 64: [server.url] },
    };
  });
  after(async () => {
    await deployment?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const [name, help] of helpOf) {
    if (ELSEWHERE[name] !== undefined) continue;
    for (const code of documentedCodes(help)) {
      test(`${name}: ${code}`, async () => {
        const args = cases[name]?.[code];
        assert.ok(args !== undefined, "the documented code has its case");
        const run = await cmcp([...name.split(" "), ...args, ...(args.includes("--json") ? [] : ["--json"])], env);
        assert.equal(run.code, code, run.stdout + run.stderr);
        const answer = answerOf(run);
        if (code === 64) assert.equal(answer.error?.code, "USAGE");
        for (const secret of [env["ALICE"] ?? "", "PRIVATE KEY"])
          assert.ok(!`${run.stdout}${run.stderr}`.includes(secret), "no secret is printed");
      });
    }
  }
});

describe("examples", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-examples-"));
    await cp(join(ROOT, "examples"), join(folder, "examples"), { recursive: true });
    await mkdir(join(folder, "bin"));
    await writeFile(
      join(folder, "bin/cmcp"),
      `#!/bin/sh\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${CLI}" "$@"\n`,
    );
    await chmod(join(folder, "bin/cmcp"), 0o755);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Runs a line of a help text as a reader would type it. */
  const typed = (line: string): Promise<CommandResult> =>
    new Promise((resolve) => {
      execFile(
        "sh",
        ["-c", line],
        { cwd: folder, env: { PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}` } },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });

  for (const [name, help] of helpOf) {
    const line = /^Example: +((?:.+\\\n)*.+)$/m.exec(help)?.[1] ?? "";
    // They would serve until they are interrupted; other tests start them.
    if (name === "start" || name === "approvals register") continue;
    const complete =
      (line.match(/\S+/g) ?? [])
        .filter((word) => word.includes("/") && !word.includes(":"))
        .every((path) => path.startsWith("examples/")) && line.includes("examples/");
    test(`${name}: the example ${complete ? "works as it stands" : "has options and form the command knows"}`, async () => {
      const { code, stderr } = await typed(line);
      if (complete) assert.equal(code, 0, stderr);
      // What an ellipsis leaves out is missing.
      else
        assert.doesNotMatch(
          stderr,
          line.includes("…") ? /[Uu]nknown option/ : /[Uu]nknown option|[Uu]nexpected|is required|ambiguous/,
          line,
        );
    });
  }
});
