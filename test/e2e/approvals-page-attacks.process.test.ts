/** Who tries to have another call approved on the approvers' page, or to reach the page: a real browser, and a real gateway. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import { withoutBrowser } from "../browser/chromium.ts";
import { ApprovalsOffice } from "../gateway/approvals-office.ts";
import { freePort, stopPage } from "../gateway/approvals-page.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { refusedCode } from "../gateway/refused-call.ts";

describe("attacks on the approvers' page", { skip: withoutBrowser, timeout: 300_000 * PATIENCE }, () => {
  let office: ApprovalsOffice;
  before(async () => {
    office = await ApprovalsOffice.start();
  });
  after(async () => {
    await office?.close();
  });

  test("who swaps the call that is shown, with its hash or without, has nothing signed that counts", async () => {
    let swapsHash = false;
    let swapped = 0;
    const swap = async (requestId: string): Promise<void> => {
      const { body, base64Encoded } = await office.tab.send("Fetch.getResponseBody", { requestId });
      const whole = base64Encoded === true ? Buffer.from(String(body), "base64").toString() : String(body);
      const changed = JSON.parse(whole) as { request: { arguments: object }; hash: string };
      swapped += 1;
      changed.request.arguments = { text: "harmless" };
      if (swapsHash) changed.hash = `sha256:${createHash("sha256").update(canonical(changed.request)).digest("hex")}`;
      await office.tab.send("Fetch.fulfillRequest", {
        requestId,
        responseCode: 200,
        responseHeaders: [{ name: "content-type", value: "application/json" }],
        body: Buffer.from(JSON.stringify(changed)).toString("base64"),
      });
    };
    office.tab.on("Fetch.requestPaused", ({ requestId }) => void swap(String(requestId)));
    for (const withHash of [false, true]) {
      swapsHash = withHash;
      const words = `swapped ${withHash}`;
      await office.opened(words);
      await office.tab.press("Back to the list");
      await office.tab.shows(/1 call waits/);
      await office.tab.send("Fetch.enable", {
        patterns: [{ urlPattern: "*/api/approvals/*", requestStage: "Response" }],
      });
      await office.tab.press("Look at this call");
      await office.tab.shows(withHash ? /harmless[^]*Your answer/ : /not the one that was asked for/);
      await office.tab.send("Fetch.disable");
      if (withHash) {
        await office.tab.press("Approve once");
        await office.tab.shows(/the call that waits is not the one that was shown; nothing was sent/);
      }
      assert.equal(refusedCode(await office.mail(words)), "APPROVAL_REQUIRED");
      await office.tab.go(office.page.url);
      await office.tab.shows(/1 call waits/);
      await office.tab.press("Look at this call");
      await office.tab.shows(/Your answer/);
      await office.denied();
    }
    assert.equal(swapped, 2);
  });

  test("an answer is not taken again, for another call, over another challenge, or edited", async () => {
    await office.opened("first");
    await office.tab.press("Approve once");
    await office.tab.shows(/Approved/);
    const used = office.sentTo("/answer");
    const { answer, assertion } = JSON.parse(used) as { answer: Record<string, string>; assertion: object };
    const path = `approvals/${answer["approval_id"]}/answer`;
    assert.deepEqual(await office.asked(path, used), { status: 409, code: "APPROVAL_ANSWERED" });
    assert.equal(refusedCode(await office.mail("first")), undefined);
    assert.deepEqual(await office.asked(path, used), { status: 404, code: "APPROVAL_UNKNOWN" });
    await office.opened("second");
    const request = await office.tab.evaluate<{ approval_id: string; hash: string }>(
      `fetch("api/approvals").then(async (answer) => {
         const [{ approval_id, request_hash: hash }] = (await answer.json()).approvals;
         return { approval_id, hash };
       })`,
    );
    const second = `approvals/${request.approval_id}/answer`;
    assert.deepEqual(await office.asked(second, used), { status: 502, code: "APPROVAL_REQUEST_INVALID" });
    const edited = { ...answer, approval_id: request.approval_id, request_hash: request.hash };
    const body = canonical({ answer: edited, assertion });
    assert.deepEqual(await office.asked(second, body), { status: 403, code: "APPROVAL_ANSWER_INVALID" });
    assert.equal(office.callsOf("second"), 0);
    assert.equal(refusedCode(await office.mail("second")), "APPROVAL_REQUIRED");
    await office.denied();
  });

  test("without user verification the browser signs nothing, and what it signs otherwise is refused", async () => {
    await office.opened("unverified");
    await office.tab.setUserVerified(false);
    await office.tab.press("Approve once");
    await office.tab.shows(/could not verify that it is you/);
    const { approval_id, hash } = await office.tab.evaluate<{ approval_id: string; hash: string }>(
      `fetch("api/approvals").then(async (answer) => {
         const [{ approval_id, request_hash: hash }] = (await answer.json()).approvals;
         return { approval_id, hash };
       })`,
    );
    const answer = {
      approval_id,
      approver: "alice",
      decision: "approve",
      format: "cmcp-approval-answer/1",
      request_hash: hash,
    };
    const assertion = await office.tab.evaluate<object>(assertionOver(answer, "discouraged"));
    const sent = await office.asked(`approvals/${approval_id}/answer`, canonical({ answer, assertion }));
    assert.deepEqual(sent, { status: 403, code: "APPROVAL_ANSWER_INVALID" });
    await office.tab.setUserVerified(true);
    const verified = await office.tab.evaluate<object>(assertionOver(answer, "required"));
    assert.deepEqual(
      await office.asked(`approvals/${approval_id}/answer`, canonical({ answer, assertion: verified })),
      {
        status: 200,
        code: "",
      },
    );
    assert.equal(refusedCode(await office.mail("unverified")), undefined);
  });

  test("a page of another port, or a statement for another instance, gets no access", async () => {
    const other = await office.serve(await freePort());
    const elsewhere = await office.browser.open(other.url);
    await elsewhere.addCredentials(office.passkeys);
    await elsewhere.press("Sign in with your passkey");
    await elsewhere.shows(/APPROVAL_ACCESS_INVALID/);
    assert.equal(await stopPage(other), 0);
    await elsewhere.press("Sign in with your passkey");
    await elsewhere.shows(/has stopped/);
    const access = {
      approver: "alice",
      format: "cmcp-approval-access/1",
      instance: Buffer.alloc(32, 7).toString("base64url"),
      issued_at: Math.floor(Date.now() / 1000),
      launch_digest: office.gateway.launch_digest,
      random: Buffer.alloc(16, 7).toString("base64url"),
    };
    const assertion = await office.tab.evaluate<object>(assertionOver(access, "required"));
    const refused = { status: 403, code: "APPROVAL_ACCESS_INVALID" };
    assert.deepEqual(await office.asked("access", canonical({ access, assertion })), refused);
    // A statement that counted counts no more.
    await office.tab.go(office.page.url);
    await office.signedIn();
    assert.deepEqual(await office.asked("access", office.sentTo("api/access")), refused);
  });

  test("other names, pages and programs of this machine reach nothing", async () => {
    const inside = new URL(office.page.url).pathname;
    for (const [path, headers, status] of [
      [inside, { host: `127.0.0.1:${office.port}` }, 403],
      [inside, { host: `evil.example:${office.port}` }, 403],
      [inside, { origin: "https://evil.example" }, 403],
      [inside, { "sec-fetch-site": "same-site" }, 403],
      [`/${"A".repeat(43)}/`, {}, 404],
      ["/", {}, 404],
      [inside, {}, 200],
    ] as const) {
      const answer = await tabless(office.port, path, headers);
      assert.equal(answer.status, status, JSON.stringify([path, headers]));
      assert.match(answer.policy, /default-src 'none'; script-src 'self'/);
    }
    const stranger = await office.browser.open(`data:text/html,<iframe src="${office.page.url}"></iframe>`);
    const read = await stranger.evaluate<string>(
      `fetch(${JSON.stringify(office.page.url)}).then(() => "read", () => "refused")`,
    );
    assert.equal(read, "refused");
  });
});

/** Members in the order of canonical JSON (RFC 8785), for texts that need no other care. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

/** In a page: an assertion over a statement, as a script of its own would ask for it. */
function assertionOver(statement: object, userVerification: "required" | "discouraged"): string {
  return `(async () => {
    const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(${JSON.stringify(canonical(statement))}));
    const { response } = await navigator.credentials.get({
      publicKey: { challenge, rpId: "localhost", userVerification: ${JSON.stringify(userVerification)} },
    });
    const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    return {
      authenticator_data: text(response.authenticatorData),
      client_data_json: text(response.clientDataJSON),
      signature: text(response.signature),
    };
  })()`;
}

/** A request of a program, with headers of its choice. */
async function tabless(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly policy: string }> {
  return await new Promise((resolve, reject) => {
    const asking = httpRequest(
      { host: "127.0.0.1", port, path, headers: { host: `localhost:${port}`, ...headers } },
      (answer) => {
        answer.resume();
        const policy = String(answer.headers["content-security-policy"]);
        answer.once("end", () => resolve({ status: answer.statusCode ?? 0, policy }));
      },
    );
    asking.once("error", reject);
    asking.end();
  });
}
