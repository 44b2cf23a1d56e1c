import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { scanTools } from "./index.ts";
import { MAX_FINDINGS } from "./limits.ts";
import { tool } from "./testing/scanned-tool.ts";

describe("look-alike names", () => {
  const pair = (left: string, right: string, server = "https://b.example/mcp"): string[] =>
    scanTools([tool({ toolName: left }), tool({ toolName: right, server })]).map(
      ({ severity, message, tool: named }) => `${severity} ${named}: ${message}`,
    );
  const owner = "of https://a.example/mcp";
  test("letters that look alike, on different servers, are grave", () => {
    assert.deepEqual(pair("list_bills", "1ist_bills"), [`high 1ist_bills: looks like list_bills ${owner}`]);
    assert.deepEqual(pair("return_item", "retum_item"), [`high retum_item: looks like return_item ${owner}`]);
    assert.deepEqual(pair("read_log", "read_l0g"), [`high read_l0g: looks like read_log ${owner}`]);
    assert.deepEqual(pair("list_bills", "1ist_bills", "https://a.example/mcp"), [
      `medium 1ist_bills: looks like list_bills ${owner}`,
    ]);
  });
  test("one edit apart, on different servers", () => {
    for (const other of ["send_mai", "send_mails", "sent_mail", "esnd_mail", "xsend_mail", "send_mial"])
      assert.deepEqual(pair("send_mail", other), [`medium ${other}: differs in one character from send_mail ${owner}`]);
    assert.deepEqual(pair("send_mail", "sent_mail", "https://a.example/mcp"), []);
    assert.deepEqual(pair("send_mail", "read_mail"), []);
  });
  test("a prefix or suffix that promises more of the same, on different servers", () => {
    for (const other of [
      "send_mail_v2",
      "send_mail-new",
      "send_mail2",
      "send_mail_1.2",
      "official_send_mail",
      "New_Send_Mail_v3",
    ])
      assert.deepEqual(pair("send_mail", other), [
        `medium ${other}: differs only by a prefix or suffix from send_mail ${owner}`,
      ]);
    assert.deepEqual(pair("send_mail", "send_mail_v2", "https://a.example/mcp"), []);
    assert.deepEqual(pair("send_mail", "send_mail_to_all"), []);
    assert.deepEqual(pair("v2", "new"), []);
  });
  test("case and separators alone", () => {
    assert.deepEqual(pair("getFile", "get_file"), [
      `medium get_file: differs only in case or separators from getFile ${owner}`,
    ]);
  });
  test("every single edit of any name is found", () => {
    const name = fc.stringMatching(/^[a-z_]{3,20}$/);
    fc.assert(
      fc.property(name, fc.nat(), fc.constantFrom("drop", "put", "set", "swap"), (original, where, how) => {
        const at = where % (original.length - 1);
        const cut = {
          drop: original.slice(0, at) + original.slice(at + 1),
          put: `${original.slice(0, at)}q${original.slice(at)}`,
          set: `${original.slice(0, at)}q${original.slice(at + 1)}`,
          swap: original.slice(0, at) + original.charAt(at + 1) + original.charAt(at) + original.slice(at + 2),
        }[how];
        fc.pre(cut !== original);
        assert.equal(pair(original, cut).length, 1, `${original} ${cut}`);
      }),
    );
  });
  test("ten thousand names within one edit are bounded, and the rest is said", () => {
    const many = Array.from({ length: 10_000 }, (_, index) =>
      tool({
        toolName: `${"x".repeat(100)}${String.fromCharCode(0x4e00 + index)}`,
        server: `https://a.example/${index}`,
      }),
    );
    const named = scanTools(many).filter(({ kind }) => kind === "look-alike-name" || kind === "not-scanned");
    assert.equal(named.length, MAX_FINDINGS + 1);
    assert.equal(named.at(-1)?.kind, "not-scanned");
  });
});
