/** The main job on real servers: allowed, redacted and denied calls under the seal, a signed claim, and its verification. */
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { cmcp } from "../gateway/cli.ts";
import { ROOT, deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { startConnect } from "../gateway/connected.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { startEverythingServer } from "../servers/everything-server.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { Agent } from "./agent.ts";
import { approvedCall, listApprover } from "./approval.ts";
import { expectCall, show } from "./calls.ts";
import { command, quote, say, step } from "./screen.ts";
import { dataAct } from "./data-act.ts";
import { secondAct } from "./second-act.ts";
import { startTap } from "./tap.ts";

const out = join(ROOT, "out");
const token = randomBytes(32).toString("base64url");

async function main(): Promise<void> {
  const startedAt = performance.now();
  const stop: (() => Promise<unknown>)[] = [];
  try {
    step(1, "Two real MCP servers");
    const everything = await startEverythingServer();
    stop.push(() => everything.close());
    say(`server-everything, plain HTTP on 127.0.0.1:${everything.port}`);
    const records = await startRecordsServer();
    stop.push(() => records.close());
    say(`patient records, TLS on 127.0.0.1:${records.port}; the catalog pins ${records.fingerprint}`);

    step(2, "The gateway: host proxy outside, enclave process in an empty network namespace");
    const config = await deployQuickstart(join(out, "demo"), {
      everythingPort: everything.port,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    await listenOnAnyPort(config);
    const alice = await listApprover(config);
    await appendFile(config, `enclave: {channel: sealed, approvers: [${alice.listed}]}\n`);
    const gateway = await startGateway(config, developmentEnvironment(token));
    stop.push(() => gateway.stop());
    say(`it listens on ${gateway.url}; enclave process ${gateway.enclave_pid}, isolation: ${gateway.isolation}`);
    say("enclave.channel is sealed: it takes no request with a token in the clear");

    step(3, "An agent (the official MCP client) calls tools through it, under the seal");
    const atTheHost = await startTap(gateway.url);
    stop.push(() => atTheHost.close());
    const connected = await startConnect(atTheHost.url);
    stop.push(() => connected.stop());
    const atTheAgent = await startTap(connected.url);
    stop.push(() => atTheAgent.close());
    say(`cmcp connect --development seals to the enclave's key what the agent says to ${connected.mcp}`);
    say("in development it accepts software evidence; make vm-demo has it verify a machine");
    const agent = await Agent.connect(`${atTheAgent.url}/mcp`, token, "sessions");
    say(`it speaks MCP ${agent.protocolVersion}`);
    say(`it is shown: ${(await agent.tools()).join(", ")}`);
    const echo = await agent.call("echo", { message: "hello from the agent" });
    show("echo", echo);
    expectCall(echo.allowed, "echo is allowed");
    const sum = await agent.call("get-sum", { a: 19, b: 23 });
    show("get-sum 19 + 23", sum);
    expectCall(sum.allowed && sum.text.includes("42"), "get-sum is allowed");
    const env = await agent.call("get-env", {});
    show("get-env", env);
    expectCall(!env.allowed, "get-env is denied");
    const early = await agent.call("send_message", { to: "friend@example.org", text: "lunch?" });
    show("send_message, before any record was read", early);
    expectCall(early.allowed, "send_message is allowed in a session that has seen nothing sensitive");
    const record = await agent.call("get_patient_record", { patient_id: "P-1001" });
    show("get_patient_record P-1001", record, true);
    expectCall(
      record.allowed && !JSON.stringify(record).includes("078-05-1120"),
      "the social security number is redacted",
    );
    const late = await agent.call("send_message", { to: "friend@example.org", text: "guess what I read" });
    show("send_message, after it", late);
    expectCall(!late.allowed, "send_message is denied once the session has seen health data");
    expectCall(
      records.calls.filter(({ tool }) => tool === "send_message").length === 1,
      "the denied message never reached the server",
    );
    await approvedCall(agent, { alice, gateway: { ...gateway, url: atTheHost.url }, records });
    const stateless = await Agent.connect(`${atTheAgent.url}/mcp`, token, "stateless");
    say(`the same agent again, now in MCP ${stateless.protocolVersion}, in another session:`);
    expectCall(stateless.protocolVersion === "2026-07-28", "the client finds the stateless era");
    const again = await stateless.call("echo", { message: "no handshake, no session id" });
    show("echo", again);
    expectCall(again.allowed, "echo is allowed in the stateless era");
    const around = await stateless.call("send_message", { to: "friend@example.org", text: "then from here" });
    show("send_message", around);
    expectCall(!around.allowed, "what a principal has seen follows it into its other sessions");
    await stateless.close();
    say(`the records server saw ${records.calls.length} calls; no denied one left the enclave`);
    const secrets = new Set([token, ...agent.said, ...stateless.said]);
    const [readByHost, readBefore] = [atTheHost, atTheAgent].map((tap) => tap.reads(secrets).length);
    say(
      `the host moved ${atTheHost.bytes} bytes; of ${secrets.size} arguments, results and tokens it can read ${readByHost} (before the seal: ${readBefore})`,
    );
    expectCall(readByHost === 0 && readBefore === secrets.size, "the host reads nothing that the agent said");

    step(4, "The session is closed; claim, audit bundle and a receipt are saved");
    const session = (late.receipt as { session_id: string }).session_id;
    const headers = { authorization: `Bearer ${token}` };
    const claim = await (await fetch(`${connected.url}/sessions/${session}/close`, { method: "POST", headers })).text();
    const bundle = await (await fetch(`${connected.url}/audit/export?session_id=${session}`, { headers })).text();
    const trustRecord = await (await fetch(`${connected.url}/sessions/${session}/trace-record`, { headers })).text();
    await mkdir(out, { recursive: true });
    await writeFile(join(out, "claim.json"), claim);
    await writeFile(join(out, "audit-bundle.json"), bundle);
    await writeFile(join(out, "trace-record.json"), trustRecord);
    await writeFile(join(out, "receipt.json"), JSON.stringify(late.receipt));
    await agent.close();
    say("out/claim.json  out/audit-bundle.json  out/receipt.json  out/trace-record.json (TRACE v0.2)");

    step(5, "An auditor verifies them offline");
    const verifyArguments = [
      "verify",
      join(out, "claim.json"),
      "--audit-bundle",
      join(out, "audit-bundle.json"),
      "--receipt",
      join(out, "receipt.json"),
      "--allow-software-only",
      "--require-sealed",
    ];
    const verified = await cmcp(verifyArguments);
    quote(verified.stdout);
    expectCall(verified.code === 0, `the claim verifies (exit code ${verified.code})`);
    expectCall(verified.stdout.includes("channel: sealed"), "and it says sealed");
    expectCall(/get_patient_record.*alice/.test(verified.stdout), "and who approved what");

    step(6, "One changed byte");
    const changed = claim.replace('"decision":"deny"', '"decision":"allow"');
    expectCall(changed !== claim, "the claim holds a denied call to change");
    await writeFile(join(out, "claim-changed.json"), changed);
    const rejected = await cmcp(["verify", join(out, "claim-changed.json"), "--allow-software-only"]);
    say(`a denied call was rewritten to "allow": cmcp verify ends with ${rejected.code}`);
    const altered = bundle.replace(
      /"latency_us":([0-9])/,
      (_, digit: string) => `"latency_us":${digit === "1" ? 2 : 1}`,
    );
    expectCall(altered !== bundle, "the bundle holds a call to change");
    await writeFile(join(out, "audit-bundle-changed.json"), altered);
    const broken = await cmcp([
      "verify",
      join(out, "claim.json"),
      "--audit-bundle",
      join(out, "audit-bundle-changed.json"),
      "--allow-software-only",
    ]);
    say(`one digit of the audit bundle was changed: cmcp verify ends with ${broken.code}`);
    expectCall(rejected.code === 10 && broken.code === 10, "changed records are rejected");

    await secondAct(7, everything.port, out);
    await dataAct(11);

    step(12, "Try next");
    command("npx cmcp verify out/claim.json --audit-bundle out/audit-bundle.json --allow-software-only --json");
    command("npx cmcp validate-bundle --bundle-path examples/quickstart/policies");
    command("npx cmcp policy hash examples/quickstart/policies");
    process.stdout.write(`\n   done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  } finally {
    for (const undo of stop.toReversed()) await undo();
  }
}

await main();
