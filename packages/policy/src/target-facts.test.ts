import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArgumentTargets } from "./facts.ts";
import { call, compile, PERMIT_ALL } from "./test-support.ts";

const TARGETS: ArgumentTargets = {
  urls: [
    {
      argument: "url",
      raw: "HTTP://0x7f.1/x",
      url: "http://127.0.0.1/x",
      scheme: "http",
      host: "127.0.0.1",
      port: 80,
      path: "/x",
    },
  ],
  hosts: ["127.0.0.1"],
  schemes: ["http"],
  paths: ["/srv/a/1", "/srv/a/2"],
  commonPath: "/srv/a",
  pathEscapes: false,
  complete: true,
};

void test("each fact of paths and URLs reaches the rules", async () => {
  const condition = [
    'context.argument_hosts == ["127.0.0.1"]',
    'context.argument_schemes.contains("http")',
    'context.argument_paths.contains("/srv/a/2")',
    'context.argument_common_path like "/srv/*"',
    "!context.argument_path_escapes",
    "context.argument_targets_complete",
    "!context.argument_urls.isEmpty()",
  ].join(" && ");
  const policy = await compile(`permit (principal, action, resource) when { ${condition} };`);
  assert.deepEqual(
    policy.warnings.filter((warning) => warning.includes("grants nothing")),
    [],
  );
  assert.equal(policy.decide(call({}, { targets: () => TARGETS })).decision, "allow");
  assert.equal(policy.decide(call()).decision, "deny");
});

void test("paths and URLs are read only for rules that ask for them", async () => {
  const targets = (): ArgumentTargets => assert.fail("nobody asked");
  assert.equal((await compile(PERMIT_ALL)).decide(call({}, { targets })).decision, "allow");
});

void test("a call whose paths and URLs nobody read is refused by rules that ask for them", async () => {
  const { targets: _, ...unread } = call();
  const policy = await compile(
    `${PERMIT_ALL} forbid (principal, action, resource) when { context.argument_path_escapes };`,
  );
  assert.deepEqual([policy.decide(unread).decision, policy.decide(call()).decision], ["deny", "allow"]);
});
