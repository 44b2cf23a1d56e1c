/** The approvers' page, end to end: a real browser with a passkey in software, and a real gateway. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { withoutBrowser } from "../browser/chromium.ts";
import { ApprovalsOffice, LEDGER } from "../gateway/approvals-office.ts";
import { startPage, stopPage } from "../gateway/approvals-page.ts";
import { cmcp } from "../gateway/cli.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { refusedCode } from "../gateway/refused-call.ts";

/** Made of parts, so that no scanner of this repository takes it for a secret. */
const SECRET = ["gh", "p_", "x7Kd93mQ0aZv5LwT1uYb8RnE4cJs6HfG2pVi"].join("");

describe("the approvers' page", { skip: withoutBrowser, timeout: 300_000 * PATIENCE }, () => {
  let office: ApprovalsOffice;
  before(async () => {
    office = await ApprovalsOffice.start();
  });
  after(async () => {
    await office?.close();
  });

  test("a passkey is made there, and the lines for the configuration are shown and printed", () => {
    assert.match(
      office.lines,
      new RegExp(`"id":"alice","passkey":.*"rp_id":"localhost","origins":\\["http://localhost:${office.port}"\\]`),
    );
    assert.equal(office.passkeys.length, 1);
  });

  test("with the keyboard alone: sign in, see the whole call, approve it; it is sent once", async () => {
    await office.tab.shows(/Sign in/);
    await office.tab.picture("sign-in");
    await office.signedIn();
    await office.tab.shows(/Nothing waits for you/);
    const words = "Grüße \u202egnp.exe <b onclick=alert(1)>bold</b> \\u202e a\u00a0b";
    assert.equal(refusedCode(await office.mail(words)), "APPROVAL_REQUIRED");
    await office.tab.shows(/1 call waits for you/);
    await office.tab.picture("list");
    await office.tab.press("Look at this call");
    const shown = await office.tab.shows(/Your answer/);
    await office.tab.picture("call");
    for (const part of [
      "mail leaves the company",
      "mail-needs-a-person",
      "1 of alice",
      "Expires at",
      "Grüße \\u202egnp.exe <b onclick=alert(1)>bold</b> \\\\u202e a\\u00a0b",
      "2 characters below would not show",
    ])
      assert.ok(shown.includes(part), `${part} in ${shown}`);
    assert.deepEqual(
      await office.tab.evaluate("[...document.querySelectorAll('mark')].map((mark) => mark.textContent)"),
      ["\\u202e", "\\u00a0"],
    );
    await office.tab.press("Approve once");
    await office.tab.shows(/Approved/);
    await office.tab.picture("approved");
    assert.equal(office.callsOf(words), 0);
    assert.equal(refusedCode(await office.mail(words)), undefined);
    assert.equal(office.callsOf(words), 1);
    assert.equal(refusedCode(await office.mail(words)), "APPROVAL_REQUIRED", "it counts once");
    assert.equal(office.callsOf(words), 1);
    await office.tab.press("Back to the list");
    await office.tab.shows(/1 call waits/);
    await office.tab.press("Look at this call");
    await office.tab.shows(/Your answer/);
    await office.denied();
    assert.deepEqual(office.tab.complaints, []);
  });

  test("a denial needs a reason, which the agent is told; nothing is sent", async () => {
    await office.opened("denied");
    await office.tab.press("Deny");
    await office.tab.shows(/Say why you deny it/);
    assert.equal(
      office.tab.sent.some(({ body }) => body.includes('"decision":"deny"') && body.includes("not to him")),
      false,
    );
    await office.denied("not to him");
    await office.tab.picture("denied");
    const told = await office.mail("denied");
    assert.equal(refusedCode(told), "APPROVAL_DENIED");
    assert.match(JSON.stringify(told), /not to him/);
    assert.equal(office.callsOf("denied"), 0);
  });

  test("a page that is open twice answers once", async () => {
    const twin = await office.browser.open(office.page.url);
    await twin.addCredentials(office.passkeys);
    await office.opened("twice");
    await office.signedIn(twin);
    await twin.shows(/1 call waits/);
    await twin.press("Look at this call");
    await twin.shows(/Your answer/);
    await office.tab.press("Approve once");
    await office.tab.shows(/Approved/);
    await twin.press("Approve once");
    await twin.shows(/APPROVAL_ANSWERED/);
    assert.equal(refusedCode(await office.mail("twice")), undefined);
    await twin.press("Approve once");
    await twin.shows(/APPROVAL_UNKNOWN/);
    assert.equal(office.callsOf("twice"), 1);
  });

  test("a result that is held is shown, and so is what was found in a call and where its data come from", async () => {
    const ledger = { name: "ledger", arguments: { text: "7" } };
    assert.equal(refusedCode(await office.agent.callTool(ledger)), "APPROVAL_REQUIRED");
    await office.tab.go(office.page.url);
    await office.signedIn();
    await office.tab.shows(/1 call waits/);
    await office.tab.press("Look at this call");
    const held = await office.tab.shows(/Your answer/);
    await office.tab.picture("result");
    for (const part of ["Deliver this result to the agent?", "The result that waits", LEDGER])
      assert.ok(held.includes(part), `${part} in ${held}`);
    await office.tab.press("Approve once");
    await office.tab.shows(/The agent can repeat the call and gets the result/);
    assert.ok(JSON.stringify(await office.agent.callTool(ledger)).includes(LEDGER));
    assert.equal(office.server.calls.filter(({ tool }) => tool === "ledger").length, 1);
    const copy = { name: "publish", arguments: { text: `${LEDGER} ${SECRET}` } };
    assert.equal(refusedCode(await office.agent.callTool(copy)), "APPROVAL_REQUIRED");
    await office.tab.press("Back to the list");
    await office.tab.shows(/1 call waits/);
    await office.tab.press("Look at this call");
    const shown = await office.tab.shows(/Your answer/);
    await office.tab.picture("flows");
    for (const part of [
      /argument findings secrets: 1/,
      /ledger in \/arguments\/text \(\w+, \d+ %\)/,
      /nothing labelled; untrusted/,
      /no-copies/,
    ])
      assert.match(shown, part);
    await office.denied();
    assert.equal(refusedCode(await office.agent.callTool(copy)), "APPROVAL_DENIED");
  });

  test("no other machine's address is served, nor an approver without a name", async () => {
    const common = ["--url", office.gateway.url, ...office.pins(), "--json"];
    for (const args of [
      ["serve", ...common, "--approver", "alice", "--listen", "0.0.0.0:8764"],
      ["serve", ...common, "--approver", "alice", "--listen", "192.168.0.1:8764"],
      ["serve", ...common, "--approver", "alice", "--listen", `127.0.0.1:${office.port}`],
      ["serve", ...common],
      ["register", "--json", "--approver", "Alice"],
      ["register", "--json", "--approver", "alice", "--listen", "[::]:8764"],
    ])
      assert.equal((await cmcp(["approvals", ...args])).code, 64, args.join(" "));
    const wrong = ["--url", office.gateway.url, "--approver", "alice", "--launch-digest", "0".repeat(64), "--json"];
    assert.equal((await cmcp(["approvals", "serve", ...wrong])).code, 10);
    const unused = await startPage("stderr", "register", "--approver", "alice", "--listen", "127.0.0.1:0");
    assert.equal(await stopPage(unused), 10);
  });
});
