/** `cmcp approvals register`, end to end: a real browser, whose passkey has to sign before the command prints anything for the configuration. */
import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { Browser, withoutBrowser, type Tab } from "../browser/chromium.ts";
import { startPage } from "../gateway/approvals-page.ts";
import { PATIENCE } from "../gateway/launcher.ts";

/** What a command printed on standard output, and its exit code. */
interface Ended {
  readonly code: number | null;
  readonly printed: string;
}

describe("the page that registers an approver", { skip: withoutBrowser, timeout: 120_000 * PATIENCE }, () => {
  let browser: Browser;
  before(async () => {
    browser = await Browser.start();
  });
  after(async () => {
    await browser?.close();
  });

  /** A registration whose passkey is made, and has yet to sign. */
  const made = async (...options: readonly string[]) => {
    const page = await startPage("stderr", "register", "--approver", "alice", "--listen", "127.0.0.1:0", ...options);
    const printed = text(page.child.stdout ?? process.stdin);
    const exited = once(page.child, "exit") as Promise<[number | null]>;
    const ended = async (): Promise<Ended> => ({ code: (await exited)[0], printed: await printed });
    const tab = await browser.open(page.url);
    const make = async (): Promise<void> => {
      await tab.press("Make the passkey");
      await tab.shows(/signs a random text/);
    };
    return { tab, make, ended };
  };
  const refused = async (tab: Tab): Promise<void> => {
    const shown = await tab.shows(/Your passkey does not count/);
    assert.match(shown, /APPROVAL_PASSKEY_INVALID/);
    assert.match(shown, /printed no lines for the configuration/);
    assert.doesNotMatch(shown, /public_key/);
  };

  test("a passkey that signs nothing is a typed error, and nothing is printed for the configuration", async () => {
    const { tab, make, ended } = await made("--json");
    await make();
    await tab.setUserVerified(false);
    await tab.press("Test the passkey");
    await refused(tab);
    await tab.picture("not-registered");
    const { code, printed } = await ended();
    assert.equal(code, 10);
    const { ok, error, ...more } = JSON.parse(printed) as { ok: boolean; error: { code: string } };
    assert.deepEqual([ok, error.code, more], [false, "APPROVAL_PASSKEY_INVALID", {}]);
    assert.deepEqual(tab.complaints, []);
  });

  test("a wrong signature is a typed error, and nothing is printed", async () => {
    const { tab, make, ended } = await made();
    await make();
    const change = async (requestId: string, body: string): Promise<void> => {
      const sent = JSON.parse(body) as { assertion: { signature: string } };
      const signature = Buffer.from(sent.assertion.signature, "base64url");
      const last = signature.length - 1;
      signature[last] = (signature[last] ?? 0) ^ 1;
      sent.assertion.signature = signature.toString("base64url");
      const postData = Buffer.from(JSON.stringify(sent)).toString("base64");
      await tab.send("Fetch.continueRequest", { requestId, postData });
    };
    tab.on(
      "Fetch.requestPaused",
      ({ requestId, request }) => void change(String(requestId), (request as { postData: string }).postData),
    );
    await tab.send("Fetch.enable", { patterns: [{ urlPattern: "*/api/test", requestStage: "Request" }] });
    await tab.press("Test the passkey");
    await refused(tab);
    assert.deepEqual(await ended(), { code: 10, printed: "" });
  });

  test("beside other passkeys of this page, the one that was made signs, and is printed", async () => {
    const first = await made("--json");
    await first.make();
    const others = await first.tab.credentials();
    await first.tab.press("Test the passkey");
    await first.tab.shows(/Your passkey is made/);
    const keyIn = ({ code, printed }: Ended): string => {
      assert.equal(code, 0);
      const { approver } = JSON.parse(printed) as { approver: { passkey: { public_key: string } } };
      return approver.passkey.public_key;
    };
    const firstKey = keyIn(await first.ended());
    const second = await made("--json");
    await second.make();
    // A browser that may choose takes the passkey that came last.
    await second.tab.addCredentials(others);
    assert.equal((await second.tab.credentials()).length, 2);
    await second.tab.press("Test the passkey");
    await second.tab.shows(/Your passkey is made/);
    const secondKey = keyIn(await second.ended());
    assert.notEqual(secondKey, firstKey);
    assert.deepEqual(second.tab.sent.map(({ body }) => body.includes(secondKey)).filter(Boolean), [true]);
  });
});
